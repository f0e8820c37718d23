// Admission of canonical documents, the profile of RFC 8785 in P3: parse, check the profile, serialise again, compare.
import { decode, encode, Fault, need } from "./bytes.js";

export const MAX_DOCUMENT = 2 ** 20;
const MAX_DEPTH = 16;
const KEY = /^[a-z][a-z0-9_]{0,63}$/;
const SURROGATE = /[\ud800-\udfff]/u;

export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}
export const canonicalBytes = (value) => encode(canonical(value));

function checkProfile(value, depth) {
  if (typeof value === "string") {
    need(!value.includes("\0") && !SURROGATE.test(value) && value.normalize("NFC") === value, "canonical");
  } else if (typeof value === "number") {
    need(Number.isSafeInteger(value), "canonical");
  } else if (value !== null && typeof value === "object") {
    need(depth <= MAX_DEPTH, "canonical");
    if (!Array.isArray(value)) for (const key of Object.keys(value)) need(KEY.test(key), "canonical");
    for (const item of Object.values(value)) checkProfile(item, depth + 1);
  }
}

// A key twice, a fraction, an exponent or blanks need no check of their own: the texts then differ.
export function admit(data, limit = MAX_DOCUMENT) {
  need(data.length <= limit, "long", { size: data.length, limit });
  const text = decode(data, "canonical");
  let value = null;
  try { value = JSON.parse(text); } catch { throw new Fault("canonical"); }
  checkProfile(value, 1);
  need(canonical(value) === text, "canonical");
  return value;
}
export function admitObject(data, limit = MAX_DOCUMENT) {
  const value = admit(data, limit);
  need(value !== null && typeof value === "object" && !Array.isArray(value), "canonical");
  return value;
}
