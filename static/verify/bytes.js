// Bytes and their texts in their one form (P2): hex, base64, base64url, UTF-8; and SHA-256 of the browser.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// What does not hold: a code, for which the page has the words of both languages, and what goes into them.
export class Fault extends Error {
  constructor(code, values = {}) {
    super(code);
    this.code = code;
    this.values = values;
  }
}
export function need(holds, code, values = {}) {
  if (!holds) throw new Fault(code, values);
}

export const encode = (text) => encoder.encode(text);
export function decode(data, code = "text") {
  try { return decoder.decode(data); } catch { throw new Fault(code); }
}

export const same = (left, right) => left.length === right.length && left.every((byte, at) => byte === right[at]);
export const alike = (left, right) => JSON.stringify(left) === JSON.stringify(right);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
export function hex(data) {
  let text = "";
  for (const byte of data) text += PAIRS[byte];
  return text;
}
export function unhex(text) {
  need(/^(?:[0-9a-f]{2})*$/.test(text), "encoding");
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
}

export function base64(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return btoa(text);
}
// Padding must be there, and no bit that is not used may be set: each value has one text.
export function unbase64(text) {
  let raw = null;
  try { raw = atob(text); } catch { throw new Fault("encoding"); }
  need(btoa(raw) === text, "encoding");
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}
export function unbase64url(text) {
  need(/^[A-Za-z0-9_-]*$/.test(text), "encoding");
  return unbase64(text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4));
}

export const sha256 = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", parts.length === 1 ? parts[0] : concat(...parts)));
export const hexDigest = async (data) => hex(await sha256(data));
export const short = (sha256) => `${sha256.slice(0, 16)}…`;

export function u64(number) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, BigInt(number));
  return data;
}
// TH(label, parts…): each part is preceded by its length, so no two tuples meet (P4.1).
export const tupleHash = (label, ...parts) =>
  sha256(encode(`${label}\0`), ...parts.flatMap((part) => [u64(part.length), part]));
