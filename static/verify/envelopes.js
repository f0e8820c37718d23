// Whether an envelope stands up to SB1 S7.2 items 2 to 4, and what makes it a copy (S7.3, S10).
import { alike, hexDigest, unbase64url } from "./bytes.js";

const ENVELOPE_LIMIT = 65536;

// What is wrong with a received envelope apart from its signature, as codes with values; empty if nothing is.
export function envelopeFaults(lot, { document, logged }) {
  if (document === null) return [["no_envelope"]];
  const { value } = document, { policy } = lot, faults = [];
  if (document.data.length > ENVELOPE_LIMIT) faults.push(["long", { size: document.data.length, limit: ENVELOPE_LIMIT }]);
  if (!isHere(lot, value)) faults.push(["other_lot"]);
  for (const name of ["bid", "bidder", "seq"]) {
    if (value[name] !== logged.body[name]) faults.push(["differs", { what: name }]);
  }
  if ((value.supersedes === null) !== (value.seq === 1)) faults.push(["differs", { what: "supersedes" }]);
  const named = lot.evidence.document(value.policy_sha256, "sb1.policy");
  if (named !== null) return [...faults, ...policyFaults(value, named.value)];
  return policy === null ? faults : [...faults, ["no_document", { typ: "sb1.policy", sha256: value.policy_sha256 }]];
}

export const isHere = (lot, { tender, lot: own, stage }) => tender === lot.procedure && own === lot.lot && stage === lot.stage;

function policyFaults(value, terms) {
  const faults = [];
  const indices = [value.shares, terms.custodians].map((rows) => rows.map(({ i }) => i));
  if (!alike(...indices)) faults.push(["differs", { what: "shares" }]);
  if (!alike(value.parts.map(({ name }) => name), terms.parts)) faults.push(["differs", { what: "parts" }]);
  if ((value.factor_commit === null) === terms.bidder_factor) faults.push(["differs", { what: "factor_commit" }]);
  return faults;
}

// What is wrong with the signature of a received or withdrawn version (S7.2 item 3).
export function signatureFaults({ document, logged }) {
  if (document === null) return [];
  const signer = document.signedBy("bidder");
  if (signer === null || signer.kid !== document.value.bidder_kid) return [["not_signed_by", { role: "bidder" }]];
  return signer.name === logged.body.bidder ? [] : [["key_other_owner"]];
}

// The values that may not repeat inside a lot (S7.3 step 5), as [kind, hash].
export async function fingerprints({ value }) {
  const found = [["seed_commit", value.seed_commit]];
  if (value.factor_commit !== null) found.push(["factor_commit", value.factor_commit]);
  for (const { sha256 } of value.parts) found.push(["part", sha256]);
  const texts = await Promise.all(value.shares.map(({ ct }) => hexDigest(unbase64url(ct))));
  return [...found, ...texts.map((sha256) => ["ct", sha256])];
}

// Whether a share ciphertext or part repeats that of another bidder's envelope of the lot (S10 row 2).
export async function isCopy(lot, envelope) {
  const copied = async (document) => (await fingerprints(document)).filter(([kind]) => kind === "part" || kind === "ct");
  const own = new Set((await copied(envelope)).map(([, sha256]) => sha256));
  for (const { document } of lot.received) {
    if (document === null || document.value.bidder === envelope.value.bidder) continue;
    if ((await copied(document)).some(([, sha256]) => own.has(sha256))) return true;
  }
  return false;
}
