// The supervisor's intake: what a receipt of its own log says, and by when it existed (SB1 S7.6, TE1 T7).
import { alike, encode, Fault, need, unhex } from "./bytes.js";
import { verifyInclusion } from "./merkle.js";
import { ED25519, parseKey } from "./notes.js";
import { verifyCheckpoint } from "./policy.js";
import { parseProof } from "./proofs.js";

const LOGGED_WITHIN_MS = 60_000;

// The policy of the intake's log: its key from the schedule, the witnesses and quorum of the trust file.
export async function intakePolicy(lot) {
  const named = lot.schedule?.intake ?? null, trusted = lot.evidence.trust.policy;
  need(named !== null, "intake_none");
  const key = await parseKey(named.vkey);
  const others = [...trusted.logs, ...trusted.witnesses.values()].map((each) => each.public);
  need(key.name === named.origin && key.type === ED25519 && !others.includes(key.public), "intake_key");
  return { ...trusted, logs: [key] };
}

// Checks the intake's receipt of a bid.received that came through it; the upper bound (ms) of its entry.
export async function readReceipt(lot, { kind, body, procedure }) {
  const policy = await intakePolicy(lot), { intake_receipt_sha256: sha256, ...said } = body;
  const document = lot.evidence.document(sha256, "sb1.intake-receipt");
  need(document !== null, "no_document", { typ: "sb1.intake-receipt", sha256: sha256 ?? "" });
  const proof = await parseProof(encode(document.value.proof));
  const note = await verifyCheckpoint(proof.checkpoint, policy, policy.logs[0].name);
  const { size, root } = note.checkpoint, { record } = proof;
  await verifyInclusion(proof.n, size, unhex(proof.leaf), proof.path, root);
  const same = record.kind === kind && record.procedure === procedure && sameFields(record.body, said);
  need(same && document.value.bid === said.bid, "intake_other");
  need(proof.t >= said.received_at && proof.t - said.received_at <= LOGGED_WITHIN_MS, "intake_time");
  return note.up === null ? Infinity : 1000 * note.up + 999;
}

const sameFields = (left, right) => alike(Object.entries(left).sort(), Object.entries(right).sort());

// The upper bound (ms) that an intake receipt gives; infinity without one, or with one that proves nothing.
export async function intakeUpper(lot, logged) {
  if (logged.body.via !== "intake") return Infinity;
  try {
    return await readReceipt(lot, logged);
  } catch (error) {
    if (error instanceof Fault) return Infinity;
    throw error;
  }
}
