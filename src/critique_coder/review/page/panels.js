// What opens beside an item when it is asked for: the comparison, what the tests found, and an input of one's own.

import { keep, kept } from "./keeping.js";
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

// An input of one's own. What was typed is kept by the browser until a verdict is given.
const typed = (item) => ({ input: item.querySelector("#own-input")?.value ?? "", expected: item.querySelector("#own-expected")?.value || null });

export function toggleTry(item, data) {
  const panel = item.querySelector(".try");
  panel.hidden = !panel.hidden;
  expand(item, "try", !panel.hidden);
  const input = panel.querySelector("#own-input");
  if (panel.hidden || !input) return;
  const before = kept(`own/${data.ref}`);
  if (before && !input.value) {
    input.value = before.input;
    if (before.expected) panel.querySelector("#own-expected").value = before.expected;
  }
  panel.scrollIntoView({ block: "center" });
  input.focus({ preventScroll: true });
}

export function typedOwn(item, data) {
  keep(`own/${data.ref}`, typed(item));
  item.querySelector('[data-do="keep"]').hidden = true; // it keeps what was run, and nothing else
}

export async function runOwn(item, data) {
  const button = item.querySelector('[data-do="own"]');
  if (!button || button.disabled) return;
  const place = item.querySelector(".tried");
  button.disabled = true;
  place.textContent = "Running …";
  try {
    place.innerHTML = (await send(`/try/${data.ref}`, typed(item))).html;
    item.querySelector('[data-do="keep"]').hidden = !place.querySelector("[data-may-keep]");
    place.scrollIntoView({ block: "center" });
  } catch (error) {
    place.textContent = sentence(error.message);
  } finally {
    button.disabled = false;
  }
}

export async function keepOwn(item, data) {
  const line = document.createElement("p");
  try {
    line.textContent = (await send(`/keep/${data.ref}`, typed(item))).told;
    item.querySelector('[data-do="keep"]').hidden = true;
  } catch (error) {
    line.textContent = sentence(error.message);
  }
  item.querySelector(".tried").append(line);
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
