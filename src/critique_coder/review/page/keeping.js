// What this browser keeps until the server has it. One entry a key, so that two tabs do not overwrite each other.

import { person } from "./sending.js";

const store = document.querySelector('meta[name="store"]').content;
const own = `${store}/${person}/`;
const inMemory = new Map(); // where the browser keeps nothing, as in some private windows

export function keep(name, value) {
  const text = JSON.stringify(value);
  try {
    localStorage.setItem(own + name, text);
  } catch {
    inMemory.set(own + name, text);
  }
}

export function kept(name) {
  const text = inMemory.get(own + name) ?? localStorage.getItem(own + name);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

export function forget(name) {
  inMemory.delete(own + name);
  localStorage.removeItem(own + name);
}

// The names below a folder, in order.
export function names(folder) {
  const all = [...inMemory.keys(), ...Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n))];
  const found = all.filter((name) => name.startsWith(own + folder)).map((name) => name.slice(own.length));
  return [...new Set(found)].sort();
}

export function fresh() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
