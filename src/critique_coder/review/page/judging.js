// The page on which a person judges: takes items in, keeps what is begun, gives verdicts and moves on.

import { forget, fresh, keep, kept } from "./keeping.js";
import * as outbox from "./outbox.js";
import { keepOwn, runAgain, runOwn, showOutcomes, toggleCompare, toggleTry, typedOwn } from "./panels.js";
import { person, read, send } from "./sending.js";

const AHEAD = 3;
const DRAFT_AFTER_MS = 700;
const TOO_SOON_MS = 150; // nobody has read an item by then: the key was meant for the one before
const place = document.querySelector("#part");
const revealPlace = document.querySelector("#reveal");
const saving = document.querySelector("#saving");
const sheet = document.querySelector("#sheet");

let item = null; // the article on the screen
let data = {}; // what the server said about it
let begun = {}; // what the person has begun on it
let ahead = []; // parts that were fetched before they are needed: {ref, article}
let moving = false; // while the next item is awaited, nothing more can be said of this one
let fetching = 0; // counts fetches ahead, so that those of an older place are thrown away
const dock = new ResizeObserver(([entry]) => {
  document.documentElement.style.setProperty("--dock", `${Math.ceil(entry.target.offsetHeight) + 24}px`); // nothing lies under it
});
let shownAt = 0;
let draftTimer = 0;
let progress = null; // how far the person is, with verdicts that are still on their way
const undone = new Set();

// --- Parts ---------------------------------------------------------------------------------------------------------

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const article = template.content.querySelector("article");
  return { ref: JSON.parse(article.dataset.part).ref, article };
}

function show(part, { focus = true, address = true, fetchedAhead = false } = {}) {
  keepDraftNow();
  item = part.article;
  data = JSON.parse(item.dataset.part);
  if (item.parentElement !== place) place.replaceChildren(item);
  dock.disconnect();
  item.querySelectorAll(".dock").forEach((own) => dock.observe(own));
  if (data.ref) {
    takeUp();
    send("/place", { ref: data.ref }).catch(() => {});
  }
  if (address) history.pushState({}, "", data.ref ? `/item/${data.ref}` : "/");
  if (!fetchedAhead) showProgress(data.progress);
  if (focus) {
    scrollTo(0, 0);
    item.querySelector(".head").focus({ preventScroll: true });
  }
  shownAt = performance.now();
  lookAhead();
}

async function go(ref) {
  try {
    show(parsed(await read(`/part/${ref}`)));
    return true;
  } catch (error) {
    trouble(error);
    return false;
  }
}

function passed() {
  const leaving = outbox.waiting().map((entry) => entry.body.ref).filter(Boolean);
  return [...new Set([data.ref, ...ahead.map((part) => part.ref), ...leaving])].filter(Boolean).slice(0, 200);
}

async function lookAhead() {
  const mine = ++fetching;
  while (data.ref && ahead.length < AHEAD) {
    const after = ahead.at(-1)?.ref ?? data.ref;
    try {
      const part = parsed(await read(`/part?after=${after}&leaving=${passed().join(",")}`));
      if (mine !== fetching || !part.ref) return;
      ahead.push(part);
    } catch {
      return; // it is tried again with the next item
    }
  }
}

async function toNextOpen() {
  const part = ahead.shift();
  if (part) {
    show(part, { fetchedAhead: true });
    return;
  }
  const leaving = passed().join(",");
  const after = data.ref ?? "";
  moving = true;
  for (let tries = 0; moving; tries++) {
    try {
      await outbox.flush();
      const next = parsed(await read(`/part?after=${after}&leaving=${leaving}`));
      moving = false;
      show(next);
    } catch (error) {
      trouble(error);
      await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, 5000)));
    }
  }
}

function toNext() {
  if (data.behind && ahead[0]?.ref !== data.behind) {
    ahead = [];
    go(data.behind);
  } else {
    toNextOpen();
  }
}

function toBefore() {
  if (!data.before) return;
  ahead = [];
  go(data.before);
}

// --- What is begun -------------------------------------------------------------------------------------------------

function takeUp() {
  const drafts = [kept(`draft/${data.ref}`), data.draft].filter(Boolean).sort((a, b) => b.at - a.at);
  const from = drafts[0] ?? data.given ?? {};
  begun = { answers: { ...from.answers }, tags: [...(from.tags ?? [])], note: from.note ?? "", marks: [...(from.marks ?? [])] };
  const note = item.querySelector("#note");
  note.value = begun.note;
  if (begun.note) openNote(false);
  drawBegun();
}

function drawBegun() {
  const next = data.questions.find((question) => !begun.answers[question]);
  for (const question of item.querySelectorAll("[data-question]")) {
    const name = question.dataset.question;
    question.classList.toggle("now", name === next || (!next && name === data.questions[0]));
    for (const button of question.querySelectorAll("[data-answer]")) {
      button.setAttribute("aria-pressed", String(begun.answers[name] === button.dataset.answer));
    }
  }
  for (const button of item.querySelectorAll("[data-tag]")) {
    button.setAttribute("aria-pressed", String(begun.tags.includes(button.dataset.tag)));
  }
  for (const line of item.querySelectorAll(".listing .line")) {
    const marked = begun.marks.includes(Number(line.dataset.line));
    line.classList.toggle("marked", marked);
    line.querySelector(".number").setAttribute("aria-pressed", String(marked));
  }
}

function changed() {
  drawBegun();
  keep(`draft/${data.ref}`, { ...begun, at: Date.now() / 1000 });
  clearTimeout(draftTimer);
  draftTimer = setTimeout(keepDraftNow, DRAFT_AFTER_MS);
}

function keepDraftNow() {
  if (!draftTimer) return;
  clearTimeout(draftTimer);
  draftTimer = 0;
  send("/draft", { ref: data.ref, ...begun }, { keepalive: true }).catch(() => {}); // the browser keeps it too
}

function toggle(list, value) {
  return list.includes(value) ? list.filter((other) => other !== value) : [...list, value];
}

// --- Verdicts ------------------------------------------------------------------------------------------------------

function answer(value, question = null) {
  if (!data.ref || moving || performance.now() - shownAt < TOO_SOON_MS) return;
  if (!question && data.questions.every((name) => begun.answers[name])) begun.answers = {};
  const asked = question ?? data.questions.find((name) => !begun.answers[name]);
  begun.answers[asked] = value;
  if (data.questions.every((name) => begun.answers[name])) give();
  else changed();
}

function give() {
  clearTimeout(draftTimer);
  draftTimer = 0;
  forget(`draft/${data.ref}`);
  forget(`own/${data.ref}`);
  const key = fresh();
  const { ref, sha } = data;
  keep("last", [...(kept("last") ?? []), { key, ref, begun }].slice(-50));
  outbox.put("/verdict", { key, ref, sha, ...begun });
  if (!data.given) drawProgress({ ...progress, judged: progress.judged + 1 });
  toNextOpen();
}

async function undo() {
  const answered = data.ref ? data.questions.filter((name) => begun.answers[name]) : [];
  if (answered.length && answered.length < data.questions.length) {
    delete begun.answers[answered.at(-1)];
    changed();
    return;
  }
  const given = kept("last") ?? [];
  const last = given.pop() ?? (data.last && !undone.has(data.last.key) ? data.last : null);
  if (!last) {
    say("There is nothing to undo.");
    return;
  }
  keep("last", given);
  undone.add(last.key);
  if (last.begun) keep(`draft/${last.ref}`, { ...last.begun, answers: {}, at: Date.now() / 1000 });
  revealPlace.replaceChildren();
  ahead = [];
  await outbox.put("/undo", { key: fresh(), verdict: last.key });
  if (await go(last.ref)) say("Undone.");
}

outbox.on("sent", (entry, answered) => {
  showProgress(answered.progress);
  if (entry.path !== "/verdict") return;
  revealPlace.innerHTML = answered.reveal; // made and escaped by our server
});

outbox.on("refused", (entry, message) => {
  const line = document.createElement("p");
  line.className = "reveal refused";
  line.textContent = `A verdict was not taken: ${message}. `;
  if (entry.body.ref) {
    const link = document.createElement("a");
    link.href = `/item/${entry.body.ref}`;
    link.textContent = "Look at it";
    line.append(link);
  }
  revealPlace.replaceChildren(line);
});

outbox.on("state", (state, count, message) => {
  saving.dataset.state = state;
  const verdicts = `${count} ${count === 1 ? "verdict" : "verdicts"}`;
  const told = { saved: "Saved", saving: "Saving …", waiting: `${verdicts} not saved yet: ${message}. Kept here, trying again.` };
  if (saving.textContent !== told[state]) saving.textContent = told[state];
});

function trouble(error) {
  say(`Not now: ${error.message}.`);
}

function say(text) {
  const line = document.createElement("p");
  line.className = "reveal unknown";
  line.textContent = text;
  revealPlace.replaceChildren(line);
}

function showProgress(told) {
  const coming = outbox.waiting().filter((entry) => entry.path === "/verdict").length;
  drawProgress({ ...told, judged: Math.min(told.total, told.judged + coming) });
}

function drawProgress(now) {
  progress = now;
  const bar = document.querySelector("#progress progress");
  bar.max = Math.max(1, progress.total);
  bar.value = progress.judged;
  const pace = progress.per_hour ? ` · ${progress.per_hour} an hour` : "";
  document.querySelector("#progress .counts").textContent = `${progress.judged} of ${progress.total}${pace}`;
}

// --- Note, marks, keys ---------------------------------------------------------------------------------------------

function openNote(focus = true) {
  const box = item.querySelector(".note-place");
  box.hidden = false;
  item.querySelector('[data-do="note"]').setAttribute("aria-expanded", "true");
  if (focus) box.querySelector("textarea").focus();
}

function mark(from) {
  const numbers = [...item.querySelectorAll(".listing .number")];
  if (numbers.includes(from)) {
    begun.marks = toggle(begun.marks, Number(from.closest(".line").dataset.line));
    changed();
  } else {
    (numbers.find((number) => number.getAttribute("aria-pressed") === "true") ?? numbers[0])?.focus();
  }
}

function moveMark(step) {
  const numbers = [...item.querySelectorAll(".listing .number")];
  const next = numbers[numbers.indexOf(document.activeElement) + step];
  next?.focus();
}

const ACTIONS = {
  note: () => openNote(),
  undo,
  back: toBefore,
  next: toNext,
  sheet: () => (sheet.open ? sheet.close() : sheet.showModal()),
  mark: () => mark(document.activeElement),
  compare: () => toggleCompare(item, data).catch(trouble),
  outcomes: () => showOutcomes(item, data).catch(trouble),
  run: () => runAgain(item, data).catch(trouble),
  try: () => toggleTry(item, data),
  own: () => runOwn(item, data),
  keep: () => keepOwn(item, data),
};
const KEYS = { e: "note", u: "undo", p: "back", n: "next", "?": "sheet", m: "mark", d: "compare", t: "outcomes", r: "run", x: "try" };
const ON_END = new Set(["undo", "sheet"]);
const WHILE_MOVING = new Set(["sheet", "compare"]);

function act(name) {
  if (moving && !WHILE_MOVING.has(name)) return;
  if (data.ref || ON_END.has(name)) ACTIONS[name]();
}

function digitOf(event) {
  const found = /^(?:Digit|Numpad)([123])$/.exec(event.code);
  return ["1", "2", "3"].includes(event.key) ? event.key : found && !event.shiftKey ? found[1] : null;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest(".try")) act("own");
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("textarea, input, select")) {
    if (event.key === "Escape") item.querySelector(".head").focus();
    return;
  }
  if (sheet.open && event.key !== "?") return;
  if (event.target.matches(".number") && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    moveMark(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Escape" && data.ref) {
    item.querySelector(".head").focus();
    return;
  } else if (event.repeat) {
    return;
  } else if (digitOf(event) && data.ref) {
    answer(["yes", "no", "cant_tell"][digitOf(event) - 1]);
  } else if (KEYS[event.key]) {
    act(KEYS[event.key]);
  } else {
    const tag = [...item.querySelectorAll("[data-tag]")].find((button) => button.getAttribute("aria-keyshortcuts") === event.key);
    if (!tag) return;
    tag.click();
  }
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const { target } = event;
  const doing = target.closest("[data-do]");
  const answered = target.closest("[data-answer]");
  const tag = target.closest("[data-tag]");
  const number = target.closest(".listing .number");
  const again = target.closest("a[data-ref]");
  if (doing) act(doing.dataset.do);
  else if (answered) answer(answered.dataset.answer, answered.closest("[data-question]").dataset.question);
  else if (tag) {
    begun.tags = toggle(begun.tags, tag.dataset.tag);
    changed();
  } else if (number) mark(number);
  else if (again && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    ahead = [];
    go(again.dataset.ref);
  }
});

document.addEventListener("input", (event) => {
  if (event.target.closest(".try")) typedOwn(item, data);
  if (event.target.id !== "note") return;
  begun.note = event.target.value;
  changed();
});

addEventListener("popstate", () => {
  const ref = /^\/item\/(\w+)$/.exec(location.pathname)?.[1];
  if (ref && ref !== data.ref) read(`/part/${ref}`).then((html) => show(parsed(html), { address: false }), trouble);
});
addEventListener("pagehide", keepDraftNow);

show({ article: place.querySelector("article") }, { focus: false, address: false });
if (data.ref) history.replaceState({}, "", `/item/${data.ref}`);
outbox.flush();
document.documentElement.dataset.ready = person;
