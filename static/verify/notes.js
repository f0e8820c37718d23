// Signed notes, checkpoints and cosignatures of C2SP (AL1 L1.3).
import { concat, decode, encode, Fault, hex, need, sha256, unbase64 } from "./bytes.js";

export const NOTE_LIMIT = 65536;
export const ED25519 = 0x01, COSIGNATURE = 0x04, MLDSA44 = 0x06;
const KEY_LENGTHS = { [ED25519]: 32, [COSIGNATURE]: 32, [MLDSA44]: 1312 };
const LINE = /^\u2014 ([^ +\n]+) ([A-Za-z0-9+/=]+)$/;
const CONTROL = /[\x00-\x09\x0b-\x1f]/;

// A verifier key: name+hex(key id)+base64(type ‖ public key).
export async function parseKey(text) {
  const [name, id, ...rest] = text.split("+"), body = rest.join("+");
  const raw = unbase64(body);
  need(name !== "" && !/\s/.test(name) && raw.length > 0 && KEY_LENGTHS[raw[0]] === raw.length - 1, "policy");
  const expected = hex((await sha256(encode(`${name}\n`), raw)).subarray(0, 4));
  need(id === expected, "policy");
  return { name, id, type: raw[0], raw: raw.subarray(1), public: hex(raw.subarray(1)) };
}

export function parseNote(data) {
  need(data.length <= NOTE_LIMIT, "note");
  const whole = decode(data, "note"), at = whole.lastIndexOf("\n\n");
  need(at >= 0 && whole.endsWith("\n") && whole.length > at + 2 && !CONTROL.test(whole), "note");
  const lines = whole.slice(at + 2, -1).split("\n").map((line) => {
    const match = LINE.exec(line), raw = match === null ? [] : unbase64(match[2]);
    need(raw.length >= 5, "note");
    return { name: match[1], id: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
  });
  return { text: whole.slice(0, at + 1), lines };
}

export function parseCheckpoint(text) {
  const [origin, size, root, last, ...rest] = text.split("\n");
  need(rest.length === 0 && last === "" && origin !== "" && /^(?:0|[1-9][0-9]{0,18})$/.test(size), "note");
  const hash = unbase64(root);
  need(hash.length === 32 && Number.isSafeInteger(Number(size)), "note");
  return { origin, size: Number(size), root: hash };
}

// The log that a note names, whoever signed it; null if it is no checkpoint.
export function originOf(data) {
  try {
    return parseCheckpoint(parseNote(data).text).origin;
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

async function verifies(key, signature, message) {
  try {
    const own = await crypto.subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, own, signature, message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw error;
    return false; // no point of the curve
  }
}

// The cosignature time in seconds, null for a plain log signature, undefined for a key type that no browser knows.
export async function verifyLine(key, note, signature) {
  const fault = new Fault("signature_line", { name: key.name });
  if (key.type === ED25519) {
    if (!(await verifies(key, signature, encode(note.text)))) throw fault;
    return null;
  }
  if (key.type === MLDSA44) return undefined;
  if (signature.length !== 72) throw fault;
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  const message = concat(encode(`cosignature/v1\ntime ${time}\n`), encode(note.text));
  if (!(await verifies(key, signature.subarray(8), message)) || time >= 2n ** 53n) throw fault;
  return Number(time);
}
