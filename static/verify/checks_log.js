// Checks of the container and of the log: AL-01 to AL-06, AL-09, AL-10 (AL1 L12.2).
import { base64, encode, Fault, hex, need, same, unbase64url, unhex } from "./bytes.js";
import { admitObject } from "./canonical.js";
import { MOST_HASHED } from "./container.js";
import { BUNDLE_RULE } from "./doctypes.js";
import { Logged } from "./evidence.js";
import { verifyConsistency, verifyInclusion } from "./merkle.js";
import { NOTE_LIMIT, originOf } from "./notes.js";
import { verifyCheckpoint } from "./policy.js";
import { genesis, parseConsistency, parseProof, PROOF_LIMIT, readRecord, recordCommitment } from "./proofs.js";
import { BODY_RULES } from "./records.js";
import { checkTiles, readLog } from "./tiles.js";

const MAX_INDEX = 64 * 2 ** 20, RECORD_LIMIT = 3 * 2 ** 20;
// The canonical object {nonce, record, t} (AL1 L9); a pattern, because a whole log holds one per entry.
const OPENED = /^\{"nonce":"([0-9a-f]{64})","record":"([A-Za-z0-9_-]+)","t":(0|[1-9][0-9]{0,15})\}$/;
const AT_ONCE = 64;

// Many files are read at once; what was found is taken in their order.
async function inBatches(items, label, tick, read, take) {
  for (let at = 0; at < items.length; at += AT_ONCE) {
    tick(label, at, items.length);
    const batch = items.slice(at, at + AT_ONCE);
    const found = await Promise.all(batch.map((item) => read(item).catch((error) => ({ error }))));
    for (const [number, item] of batch.entries()) await take(item, found[number]);
  }
}

// AL-01: the list in bundle.json equals the files. The header, or null if there is no usable one.
export async function checkFiles(bundle, report, tick) {
  const check = report.check("AL-01");
  let header = null;
  try {
    header = admitObject(await bundle.read("bundle.json", MAX_INDEX), MAX_INDEX);
    BUNDLE_RULE(header, "bundle.json");
  } catch (error) {
    check.caught("bundle.json", error);
    return null;
  }
  const listed = new Set(header.files.map((row) => row.path));
  for (const path of bundle.under("")) {
    if (path !== "bundle.json" && !listed.has(path)) check.fail(path, "unlisted");
  }
  const read = async ({ path }) => ({ sha256: bundle.size(path) > MOST_HASHED ? null : await bundle.sha256(path) });
  await inBatches(header.files, "files", tick, read, (row, found) => checkFile(bundle, check, row, found));
  return header;
}

function checkFile(bundle, check, { path, size, sha256 }, found) {
  if (!bundle.has(path)) return check.fail(path, "missing_file");
  if (found.error) return check.caught(path, found.error);
  if (found.sha256 === null) return check.gap(path, "too_large");
  const named = /^(?:docs|parts)\/([0-9a-f]{64})\.(?:json|age)$/.exec(path);
  if (named !== null) check.require(path, named[1] === found.sha256, "name_hash");
  return check.require(path, size === bundle.size(path) && sha256 === found.sha256, "file_other");
}

// AL-02: form, origin, log signature and quorum of the checkpoint that all proofs use.
export async function checkMainCheckpoint(evidence) {
  const check = evidence.report.check("AL-02"), { header, trust, bundle } = evidence;
  let note = null;
  try {
    note = await verifyCheckpoint(await bundle.read("checkpoint", NOTE_LIMIT), trust.policy, trust.origin);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return check.caught("checkpoint", error);
  }
  const { size, root } = note.checkpoint;
  check.require("bundle.json", header.checkpoint_size === size, "header_size", { found: header.checkpoint_size, wanted: size });
  check.require("bundle.json", header.origin === trust.origin, "origin", { found: header.origin, wanted: trust.origin });
  noteGaps(check, "checkpoint", note);
  evidence.main = note;
  evidence.notes.push(note);
  evidence.consistent.set(size, root);
}

export function noteGaps(check, place, note) {
  check.passed();
  for (const name of note.unverified) check.gap(place, "key_type", { name });
  if (!note.witnessed) check.gap(place, "logged_only");
}

// AL-03 and AL-04: each proof, and the chain between adjacent disclosed entries.
export async function checkProofs(evidence, tick) {
  const check = evidence.report.check("AL-03"), proofs = [];
  const read = async (path) => {
    const proof = await parseProof(await evidence.bundle.read(path, PROOF_LIMIT));
    await checkProof(evidence, path, proof);
    return { proof };
  };
  await inBatches(evidence.bundle.under("log/"), "proofs", tick, read, (path, { proof, error }) => {
    if (error) return check.caught(path, error);
    check.passed();
    return proofs.push(proof);
  });
  proofs.sort((left, right) => left.n - right.n);
  await checkAdjacent(evidence, proofs);
  if (evidence.wholeLog) return;
  for (const { n, t, h, record } of proofs) {
    const logged = new Logged(n, t, h, record, `log/${n}.tlog-proof`);
    if (admitBody(evidence, logged)) evidence.records.push(logged);
  }
}

async function checkProof(evidence, path, proof) {
  need(path === `log/${proof.n}.tlog-proof`, "other_entry", { n: proof.n });
  need(same(proof.checkpoint, await evidence.bundle.read("checkpoint", NOTE_LIMIT)), "other_checkpoint");
  need(evidence.main !== null, "no_main");
  const { size, root } = evidence.main.checkpoint;
  await verifyInclusion(proof.n, size, unhex(proof.leaf), proof.path, root);
}

async function checkAdjacent(evidence, proofs) {
  const check = evidence.report.check("AL-04");
  if (proofs.length > 0 && proofs[0].n === 0) {
    const first = hex(await genesis(evidence.trust.origin));
    check.require("log/0.tlog-proof", proofs[0].p === first, "entry_previous");
  }
  proofs.slice(1).forEach((right, at) => {
    const left = proofs[at], place = `log/${right.n}.tlog-proof`;
    if (right.n === left.n + 1) check.require(place, right.p === left.leaf, "entry_previous");
    check.require(place, right.t >= left.t, "time_decreases");
    check.require(place, (right.q === null) === (left.q === null), "q_everywhere");
  });
}

// AL-08, first half: the kind is registered and the body has its fields; others are not used further.
function admitBody(evidence, logged) {
  const check = evidence.report.check("AL-08");
  check.passed();
  try {
    need(Object.hasOwn(BODY_RULES, logged.kind), "kind_unknown", { kind: logged.kind });
    BODY_RULES[logged.kind](logged.body, logged.kind);
    return true;
  } catch (error) {
    check.caught(logged.place, error);
    return false;
  }
}

// AL-09 and AL-10: all entries, chain, tiles and root; every entry opens and names at most one procedure.
export async function checkWholeLog(evidence, tick) {
  const check = evidence.report.check("AL-09"), opened = evidence.report.check("AL-10");
  if (!evidence.wholeLog || evidence.main === null) return;
  const { size, root } = evidence.main.checkpoint, any = evidence.bundle.under("records/").length > 0;
  if (!any && size > 0) opened.gap("records", "none_opened");
  const sink = (taken) => {
    tick("log", taken[0]?.n ?? 0, size);
    return any ? openRecords(evidence, opened, taken) : null;
  };
  let found = null;
  try {
    found = await readLog(evidence.bundle, evidence.trust.origin, size, sink);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return check.caught("tile/entries", error);
  }
  check.passed(size);
  if (found.withQ) check.gap("tile/entries", "sm3");
  await checkTiles(evidence.bundle, found.tree, (path, code, values) => check.fail(path, code, values));
  check.require("checkpoint", same(await found.tree.root(size), root), "root_other");
  opened.note("records", "no_replay");
  evidence.tree = found.tree;
  for (const path of evidence.bundle.under("records/")) {
    if (Number(/[0-9]+/.exec(path)[0]) >= size) opened.fail(path, "no_entry");
  }
}

async function openRecords(evidence, check, taken) {
  const read = async ({ n, h, t }) => {
    const text = new TextDecoder().decode(await evidence.bundle.read(`records/${n}.json`, RECORD_LIMIT));
    const match = OPENED.exec(text);
    need(match !== null, "record_form");
    const raw = unbase64url(match[2]), commitment = hex(await recordCommitment(unhex(match[1]), raw));
    need(commitment === h && Number(match[3]) === t, "record_other");
    return { record: readRecord(raw) };
  };
  await inBatches(taken, null, () => {}, read, ({ n, h, t }, { record, error }) => {
    const path = `records/${n}.json`;
    if (error) return check.caught(path, error);
    check.passed();
    const logged = new Logged(n, t, h, record, path), [kind, named] = record.subject.split(/:(.*)/s);
    if (kind === "procedure" && named !== record.procedure) check.fail(path, "two_procedures");
    if (admitBody(evidence, logged) && logged.kind !== "log.pad") evidence.records.push(logged);
    return null;
  });
}

// AL-05: signatures of the other checkpoints, one root per size, consistency to the main one.
export async function checkOtherCheckpoints(evidence) {
  const check = evidence.report.check("AL-05");
  for (const path of evidence.bundle.under("checkpoints/")) {
    const read = () => evidence.bundle.read(path, NOTE_LIMIT);
    await takeCheckpoint(evidence, check, path, read, Number(/[0-9]+/.exec(path)[0]));
  }
  const { policy, origin } = evidence.trust;
  const others = policy.logs.map(({ name }) => name).filter((name) => name !== origin);
  for (const order of evidence.ofType("sb1.open-order")) {
    if (others.includes(originOf(encode(order.value.checkpoint)))) continue;
    await takeCheckpoint(evidence, check, order.place, () => encode(order.value.checkpoint), null);
  }
}

async function takeCheckpoint(evidence, check, place, read, size) {
  let note = null;
  try {
    note = await verifyCheckpoint(await read(), evidence.trust.policy, evidence.trust.origin);
    need(size === null || note.checkpoint.size === size, "note_size", { size: note.checkpoint.size });
    await requireConsistent(evidence, note);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return check.caught(place, error);
  }
  noteGaps(check, place, note);
  evidence.notes.push(note);
  evidence.noted.set(place, note);
}

const named = ({ size, root }) => `${size} ${base64(root)}`;

// A checkpoint must be a prefix of the main one, by the tree of a whole log or a stored proof.
async function requireConsistent(evidence, note) {
  need(evidence.main !== null, "no_main");
  const { size, root } = note.checkpoint, main = evidence.main.checkpoint;
  const both = { this: named(note.checkpoint), main: named(main) };
  let known = evidence.consistent.get(size) ?? null;
  need(known !== null || size <= main.size, "larger", both);
  if (known === null && evidence.tree !== null) known = await evidence.tree.root(size);
  if (known === null) {
    const proof = parseConsistency(await evidence.bundle.read(`consistency/${size}-${main.size}`, NOTE_LIMIT));
    try {
      await verifyConsistency(size, main.size, root, main.root, proof);
    } catch (error) {
      throw error instanceof Fault ? new Fault("not_one_history", both) : error;
    }
    known = root;
  }
  need(same(known, root), "two_histories", both);
  evidence.consistent.set(size, root);
}

// AL-06: consistency with checkpoints that the reader kept.
export async function checkAgainst(evidence, kept) {
  const check = evidence.report.check("AL-06"), { header, trust, bundle, main } = evidence;
  for (const { name, data } of kept) {
    try {
      const note = await verifyCheckpoint(data, trust.policy, trust.origin), { size } = note.checkpoint;
      const proof = `consistency/${size}-${header.checkpoint_size}`;
      const provable = evidence.consistent.has(size) || evidence.tree !== null || bundle.has(proof);
      if (main !== null && size > main.checkpoint.size) check.gap(name, "newer", { size, main: main.checkpoint.size });
      else if (main !== null && !provable) check.gap(name, "no_proof", { size });
      else {
        await requireConsistent(evidence, note);
        check.passed();
      }
    } catch (error) {
      check.caught(name, error);
    }
  }
}
