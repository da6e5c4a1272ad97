// The page on which conflicts are settled: choose a side, write the reason, decide; the next conflict follows.

import { forget, fresh, keep, kept } from "./keeping.js";
import { person, send } from "./sending.js";

const article = document.querySelector("[data-part]");
const data = JSON.parse(article.dataset.part);
const name = `decision/${data.ref}/${data.question}`;

function start() {
  const form = document.querySelector("#decision");
  const reason = form.querySelector("#reason");
  const told = form.querySelector("#told");
  const choices = [...form.querySelectorAll("[data-answer]")];
  const begun = { answer: null, reason: "", key: fresh(), ...kept(name) };
  let sending = false;

  function draw() {
    for (const choice of choices) choice.setAttribute("aria-pressed", String(choice.dataset.answer === begun.answer));
    document.body.style.setProperty("--dock", `${form.closest(".dock").offsetHeight + 24}px`);
  }

  function choose(answer) {
    begun.answer = answer;
    keep(name, begun);
    draw();
    reason.focus();
  }

  async function decide() {
    if (sending) return;
    if (!begun.answer || !reason.value.trim()) {
      told.textContent = begun.answer ? "Write the reason first." : "Choose a side first.";
      (begun.answer ? reason : choices[0]).focus();
      return;
    }
    sending = true;
    told.textContent = "Saving …";
    try {
      const { key, answer } = begun;
      await send("/decision", { key, ref: data.ref, question: data.question, sha: data.sha, answer, reason: reason.value });
      forget(name);
      location.assign("/adjudicate");
    } catch (error) {
      told.textContent = `Not saved: ${error.message}. What you wrote is kept here; decide again.`;
    } finally {
      sending = false;
    }
  }

  const actions = { next: () => data.next && location.assign(data.next), tests: () => article.querySelector(".outcomes summary").click() };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      decide();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.target === reason) {
      if (event.key === "Escape") article.querySelector(".head").focus();
      return;
    }
    const action = { 1: () => choose("yes"), 2: () => choose("no"), e: () => reason.focus(), n: actions.next, t: actions.tests }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    decide();
  });
  form.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-answer]");
    const doing = event.target.closest("[data-do]");
    if (choice) choose(choice.dataset.answer);
    if (doing) actions[doing.dataset.do]();
  });
  reason.addEventListener("input", () => {
    begun.reason = reason.value;
    keep(name, begun);
    told.textContent = "";
  });
  reason.value = begun.reason;
  form.querySelector('[data-do="next"]').disabled = !data.next;
  addEventListener("resize", draw);
  draw();
}

if (data.ref) start();
document.documentElement.dataset.ready = person;
