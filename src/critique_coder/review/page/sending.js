// Requests to our own server, with what proves that they come from this page.

const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
export const person = meta("person");

export class Failed extends Error {
  // `again`: the same request may succeed later; otherwise sending it again is of no use.
  constructor(message, status) {
    super(message);
    this.status = status;
    this.again = [0, 401, 403, 429].includes(status) || status >= 500;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Failed("the server does not answer", 0);
  }
  if (response.ok) return response;
  let message = `the server answered ${response.status}`;
  try {
    message = (await response.json()).error ?? message;
  } catch { /* not ours to read */ }
  throw new Failed(message, response.status);
}

// Write: sends a JSON object, gives back the JSON object that was answered.
export async function send(path, body, options = {}) {
  const headers = { "content-type": "application/json", "x-csrf": meta("csrf"), accept: "application/json" };
  const response = await ask(path, { method: "POST", headers, body: JSON.stringify(body), ...options });
  return response.json();
}

// Read: gives back a piece of HTML of ours as text.
export async function read(path) {
  const response = await ask(path, { headers: { accept: "*/*" } });
  return response.text();
}
