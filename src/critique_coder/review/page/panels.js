// What opens beside an item when it is asked for: the comparison, what the tests found, and an input of one's own.

import { read, send } from "./sending.js";

function expand(item, name, open) {
  item.querySelector(`[data-do="${name}"]`)?.setAttribute("aria-expanded", String(open));
}

// The comparison takes the place of the listing, and gives it back.
export async function toggleCompare(item, data, chosen = "") {
  const place = item.querySelector(".compared");
  const listing = item.querySelector(".listing");
  if (!place.hidden && !chosen) {
    place.hidden = true;
    listing.hidden = false;
    expand(item, "compare", false);
    return;
  }
  place.innerHTML = await read(`/compare/${data.ref}?with=${encodeURIComponent(chosen)}`);
  place.hidden = false;
  listing.hidden = true;
  expand(item, "compare", true);
  const choice = place.querySelector("[data-choose]");
  choice.addEventListener("change", () => toggleCompare(item, data, choice.value));
}

// What the tests found: the server notes that it was seen before it shows it.
export async function showOutcomes(item, data) {
  await fill(item, `/outcomes/${data.ref}`, "outcomes");
}

export async function runAgain(item, data) {
  await fill(item, `/run/${data.ref}`, "run");
}

async function fill(item, path, name) {
  const place = item.querySelector(".tests");
  const button = place.querySelector(`[data-do="${name}"]`);
  if (!button || button.disabled) return;
  button.disabled = true;
  place.setAttribute("aria-busy", "true");
  try {
    place.innerHTML = (await send(path, {})).html;
    place.scrollIntoView({ block: "nearest" });
  } finally {
    button.disabled = false;
    place.removeAttribute("aria-busy");
  }
}

export function toggleTry(item) {
  const panel = item.querySelector(".try");
  panel.hidden = !panel.hidden;
  expand(item, "try", !panel.hidden);
  if (!panel.hidden) panel.querySelector("textarea")?.focus();
}
