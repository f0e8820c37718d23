// Entries, receipts (C2SP tlog-proof) and stored consistency proofs (AL1 L1.2, L8.2, L8.3, L12.1).
import { decode, encode, hex, need, sha256, unbase64, unbase64url, unhex } from "./bytes.js";
import { admitObject, MAX_DOCUMENT } from "./canonical.js";
import { leafHash } from "./merkle.js";
import { RECEIPT_EXTRA, RECORD_FIELDS } from "./records.js";

export const PROOF_LIMIT = 2 * MAX_DOCUMENT + 131072;
const FIRST_LINE = "c2sp.org/tlog-proof@v1";
const INDEX = /^index (0|[1-9][0-9]{0,15})$/;
const RECORD = encode("mingbiao/al1/record\0"), GENESIS = "mingbiao/al1/genesis\0";

export const recordCommitment = (nonce, record) => sha256(RECORD, nonce, record);
export const genesis = (origin) => sha256(encode(GENESIS + origin));
export function entryBytes({ h, n, p, q, t }) {
  const middle = q === null ? "" : `"q":"${q}",`;
  return encode(`{"h":"${h}","n":${n},"p":"${p}",${middle}"t":${t},"v":1}`);
}

export function readRecord(raw) {
  const record = admitObject(raw);
  RECORD_FIELDS(record, "record");
  return record;
}

export function proofHashes(lines) {
  const hashes = lines.map(unbase64);
  need(hashes.every((hash) => hash.length === 32), "proof_form");
  return hashes;
}
export function parseConsistency(data) {
  const text = decode(data, "proof_form");
  need(text === "" || text.endsWith("\n"), "proof_form");
  return proofHashes(text.split("\n").slice(0, -1));
}

function blankLine(data) {
  for (let at = 0; at + 1 < data.length; at++) if (data[at] === 10 && data[at + 1] === 10) return at;
  return need(false, "proof_form");
}

// Read strictly; commitment, entry and leaf hash are computed anew (L8.3 steps 1 and 2).
export async function parseProof(data) {
  need(data.length <= PROOF_LIMIT, "long", { size: data.length, limit: PROOF_LIMIT });
  const at = blankLine(data), lines = decode(data.subarray(0, at), "proof_form").split("\n");
  need(lines.length >= 3 && lines[0] === FIRST_LINE && lines[1].startsWith("extra "), "proof_form");
  const index = INDEX.exec(lines[2]), extra = admitObject(unbase64(lines[1].slice(6)), PROOF_LIMIT);
  RECEIPT_EXTRA(extra, "extra");
  need(index !== null && extra.n === Number(index[1]), "proof_form");
  const raw = unbase64url(extra.record), { n, p, t } = extra, q = extra.q ?? null;
  const h = hex(await recordCommitment(unhex(extra.nonce), raw));
  const leaf = hex(await leafHash(entryBytes({ h, n, p, q, t })));
  const path = proofHashes(lines.slice(3)), checkpoint = data.subarray(at + 2);
  return { n, t, p, q, h, leaf, path, checkpoint, record: readRecord(raw) };
}
