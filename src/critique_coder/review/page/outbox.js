// Verdicts and undos on their way. Each is kept by the browser with a key of its own until the server has answered, and
// is sent again after a failure; the server counts a key once. They go one after the other, in the order of their making.

import { forget, fresh, keep, kept, names } from "./keeping.js";
import { send } from "./sending.js";

const FOLDER = "out/";
const LONGEST_WAIT_S = 8;
const listeners = { sent: [], refused: [], state: [] };
let sending = null; // the promise of the sending that is under way
let wait = 0.5;
let timer = 0;
let count = 0;

export const on = (event, listener) => listeners[event].push(listener);
const tell = (event, ...details) => listeners[event].forEach((listener) => listener(...details));

export const waiting = () => names(FOLDER).map(kept).filter(Boolean);

export function put(path, body) {
  const order = `${Date.now().toString(36).padStart(10, "0")}-${String(count++).padStart(6, "0")}`;
  keep(`${FOLDER}${order}-${fresh().slice(0, 6)}`, { path, body });
  return flush();
}

export function flush() {
  clearTimeout(timer);
  sending ??= sendAll();
  return sending;
}

async function sendAll() {
  await null; // so that what ends at once ends after `flush` has noted that it began
  try {
    for (let name = names(FOLDER)[0]; name; name = names(FOLDER)[0]) {
      tell("state", "saving", names(FOLDER).length, "");
      if (!await one(name)) return;
    }
    tell("state", "saved", 0, "");
  } finally {
    sending = null;
  }
}

async function one(name) {
  const entry = kept(name);
  try {
    const answer = entry ? await send(entry.path, entry.body, { keepalive: true }) : null;
    forget(name);
    wait = 0.5;
    if (entry) tell("sent", entry, answer);
  } catch (error) {
    if (error.again) {
      tell("state", "waiting", names(FOLDER).length, error.message);
      timer = setTimeout(flush, wait * 1000);
      wait = Math.min(wait * 2, LONGEST_WAIT_S);
      return false;
    }
    forget(name);
    tell("refused", entry, error.message);
  }
  return true;
}

addEventListener("online", flush);
