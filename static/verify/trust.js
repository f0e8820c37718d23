// The trust file mb.trust: whom the reader believes (P8).
import { Fault, hexDigest, need, unbase64url } from "./bytes.js";
import { admit, admitObject } from "./canonical.js";
import { DOCUMENT_RULES, SIGNATURE_LIST } from "./doctypes.js";
import { verifyEs256 } from "./es256.js";
import { parsePolicy } from "./policy.js";

export const TRUST_LIMIT = 2 ** 20;

// The logs that `origin` continues, the oldest first, and itself: the order of the policy (L13).
export function originsOf({ policy, origin }) {
  const names = [...new Set(policy.logs.map(({ name }) => name))];
  return names.slice(0, names.indexOf(origin) + 1);
}
// The same trust for a log that its own continues; unchanged for any other.
export const trustOf = (trust, origin) => (originsOf(trust).includes(origin) ? { ...trust, origin } : trust);

// From document bytes, or from the signed wrapper of P7.1.
export async function readTrust(data, signatures = null) {
  need(data.length <= 2 * TRUST_LIMIT, "long", { size: data.length, limit: 2 * TRUST_LIMIT });
  const { bytes, sigs } = unwrapped(withoutNewline(data), signatures);
  const value = admitObject(bytes);
  DOCUMENT_RULES["mb.trust"](value, "mb.trust");
  const policy = await parsePolicy(value.log_policy), institutions = await institutionsOf(value);
  const keys = [...policy.logs, ...policy.witnesses.values()].map((key) => key.public);
  need(new Set(keys).size === keys.length, "policy");
  need(policy.logs.some((key) => key.name === value.origin), "policy");
  const signed = await verifyOwn(bytes, sigs, institutions);
  return { sha256: await hexDigest(bytes), origin: value.origin, policy, institutions, signed };
}

function withoutNewline(data) {
  let end = data.length;
  while (end > 0 && data[end - 1] === 10) end -= 1;
  return data.subarray(0, end);
}

function unwrapped(data, signatures) {
  const value = admitObject(data, 2 * TRUST_LIMIT);
  const wrapped = Object.keys(value).sort().join() === "doc,sigs" && typeof value.doc === "string";
  const bytes = wrapped ? unbase64url(value.doc) : data;
  const sigs = wrapped ? value.sigs : signatures === null ? [] : admit(signatures);
  if (!Array.isArray(sigs) || sigs.length > 0) SIGNATURE_LIST(sigs, "signatures");
  return { bytes, sigs };
}

async function institutionsOf(value) {
  const found = new Map();
  for (const { alg, key, kid, name, role } of value.institutions) {
    const spki = unbase64url(key);
    need((await hexDigest(spki)) === kid, "kid", { name });
    found.set(kid, { alg, kid, name, role, spki });
  }
  return found;
}

async function verifyOwn(bytes, sigs, institutions) {
  let signed = false;
  for (const signature of sigs) {
    const signer = institutions.get(signature.kid);
    if (signer === undefined || signature.alg !== "ES256") continue;
    try {
      await verifyEs256(signer.spki, bytes, signature);
    } catch (error) {
      throw error instanceof Fault ? new Fault("signature") : error;
    }
    signed ||= signer.role === "supervisor";
  }
  return signed;
}
