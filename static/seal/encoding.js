// Bytes, their texts in the one form (P2), hashes, and canonical documents (P3), as the sealing path writes them. What
// looks at a sealed bid again has functions of its own (static/reopen): neither may import from the other.

export class SealingFault extends Error {
  constructor(code, values = {}) {
    super(code);
    this.code = code;
    this.values = values;
  }
}
export function must(holds, code, values = {}) {
  if (!holds) throw new SealingFault(code, values);
}

const encoder = new TextEncoder();
export const utf8 = (text) => encoder.encode(text);

export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// The object that the bytes are JSON of; one without members if they are not.
export function parsed(data) {
  try {
    return Object(JSON.parse(new TextDecoder().decode(data)));
  } catch {
    return {};
  }
}

export const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

export function b64u(data) {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
export function fromB64u(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

export const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));

function u64(number) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, BigInt(number));
  return data;
}
// TH(label, parts…) of P4.1: each part is preceded by its length.
export const tupleHash = (label, ...parts) =>
  sha256(joined(utf8(label), Uint8Array.of(0), ...parts.flatMap((part) => [u64(part.length), part])));

// UTF-8 sorts as code points do, UTF-16, in which the engine compares, does not.
export function byBytes(left, right) {
  const [first, second] = [utf8(left), utf8(right)], length = Math.min(first.length, second.length);
  for (let at = 0; at < length; at++) if (first[at] !== second[at]) return first[at] - second[at];
  return first.length - second.length;
}

const KEY = /^[a-z][a-z0-9_]{0,63}$/;
function written(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    must(Number.isSafeInteger(value) && !Object.is(value, -0), "document");
    return String(value);
  }
  if (typeof value === "string") {
    must(value.isWellFormed() && !value.includes("\0") && value.normalize("NFC") === value, "document");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  const keys = Object.keys(value).sort();
  must(keys.every((key) => KEY.test(key)), "document");
  return `{${keys.map((key) => `"${key}":${written(value[key])}`).join(",")}}`;
}
// The bytes of a document; a value outside the profile is a bug of the caller and stops the sealing.
export const canonical = (value) => utf8(written(value));
