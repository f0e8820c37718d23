// Checks of policy, schedule, envelopes and close: SB-01 to SB-08 and SB-18 (SB1 S17).
import { alike, hex, hexDigest, short, unhex } from "./bytes.js";
import { QUESTIONABLE, timeVerdict } from "./bounds.js";
import { canonicalBytes } from "./canonical.js";
import { envelopeFaults, fingerprints, isHere, signatureFaults } from "./envelopes.js";
import { compare } from "./fields.js";
import { intakeUpper } from "./intake.js";
import { rootOf } from "./merkle.js";

// SB-01: agency's signature, the admission rules of S3.1, custodian keys signed by pinned institutions.
export function checkPolicy(lot, check) {
  if (lot.missing("policy.fixed")) check.fail(lot.place, "no_record", { kind: "policy.fixed" });
  for (const [, policy] of lot.pairs("policy.fixed", "policy_sha256", "sb1.policy")) {
    const { place, value } = policy;
    check.require(place, policy.signedBy("agency") !== null, "not_signed_by", { role: "agency" });
    check.require(place, isHere(lot, value), "other_lot");
    for (const what of admissionFaults(value)) check.fail(place, "policy_rule", { what });
    for (const custodian of value.custodians) checkCustodian(lot, check, policy, custodian);
  }
}

function admissionFaults({ custodians: rows, k, bidder_factor: factor, price_bytes: size, parts }) {
  const faults = [], count = rows.length;
  if (!alike(rows.map(({ i }) => i), rows.map((_, at) => at + 1))) faults.push("custodians");
  if (k < 2 || k > count - 1) faults.push("k");
  if (rows.filter(({ role }) => ["agency", "operator"].includes(role)).length >= k) faults.push("role");
  for (const name of ["name", "hpke_pk", "kid"]) {
    if (new Set(rows.map((row) => row[name])).size !== count) faults.push(name);
  }
  const independent = rows.some(({ role }) => ["supervisor", "notary"].includes(role));
  if (!factor && (k < 3 || !independent)) faults.push("bidder_factor");
  if ((size === null) === parts.includes("price") || (size ?? 0) % 4096) faults.push("price_bytes");
  return faults;
}

export const custodianKey = (lot, { hpke_pk: key }) =>
  lot.evidence.ofType("sb1.custodian-key").find((document) => document.value.hpke_pk === key) ?? null;

function checkCustodian(lot, check, policy, custodian) {
  const place = `${policy.place} custodian ${custodian.i}`, document = custodianKey(lot, custodian);
  if (document === null) return check.fail(place, "no_document", { typ: "sb1.custodian-key", sha256: "" });
  const pinned = lot.evidence.trust.institutions.get(custodian.kid), signer = document.signedBy("custodian");
  check.require(place, signer?.kid === custodian.kid, "not_signed_by", { role: custodian.name });
  check.require(place, pinned?.role === "custodian" && pinned.name === custodian.name, "not_pinned", { name: custodian.name });
  const fits = ["lot", "stage", "suite", "tender"].every((name) => document.value[name] === policy.value[name]);
  const own = ["name", "role"].every((name) => document.value[name] === custodian[name]);
  return check.require(place, fits && own, "other_lot");
}

// SB-02: the policy is in the log before bids, and each share key was proved before the policy.
export async function checkPossession(lot, check) {
  const fixed = lot.pairs("policy.fixed", "policy_sha256", "sb1.policy"), { closed } = lot;
  if (closed !== null) {
    const named = fixed.some(([, document]) => document.sha256 === closed.body.policy_sha256);
    check.require(closed.place, named, "policy_not_fixed");
  }
  for (const [logged, policy] of fixed) {
    check.passed();
    for (const custodian of policy.value.custodians) {
      const document = custodianKey(lot, custodian);
      if (document !== null) await checkProved(lot.evidence, check, logged, document);
    }
    for (const { logged: version, document } of lot.everyVersion) {
      if (document?.value.policy_sha256 === policy.sha256 && version.n < logged.n) check.fail(version.place, "policy_not_fixed");
    }
  }
}

// A challenge and its answer for a share key before its policy was fixed (S3.2).
async function checkProved(evidence, check, fixed, document) {
  const [challenged, proved] = ["custodian.challenged", "custodian.proved"].map((kind) =>
    evidence.ofKind(kind).filter(({ n, body }) => body.custodian_key_sha256 === document.sha256 && n < fixed.n));
  let holds = false;
  for (const { n, body } of proved) {
    const sha256 = await hexDigest(unhex(body.challenge));
    holds ||= challenged.some((before) => before.n < n && before.body.challenge_sha256 === sha256);
  }
  check.require(`${fixed.place} ${document.place}`, holds, "not_proved");
}

// SB-03: the close of successive schedules is never earlier, and the close entry follows the last one.
export function checkSchedule(lot, check) {
  const { schedules, closed } = lot;
  schedules.slice(1).forEach(([logged, after], at) =>
    check.require(logged.place, after.value.close >= schedules[at][1].value.close, "close_earlier"));
  if (schedules.length === 0) return;
  check.passed();
  if (closed === null) return;
  const last = schedules.at(-1)[1];
  const same = closed.body.schedule_sha256 === last.sha256 && closed.body.close === last.value.close;
  check.require(closed.place, same, "differs", { what: "close, schedule_sha256" });
}

// Whether the log itself calls this envelope a fault of the platform (S10 row 1), so it is no surprise.
function badIntake(lot, { logged }) {
  const verdict = lot.all("bid.verdict").findLast(({ body }) => body.bid === logged.body.bid);
  return verdict?.body.verdict === "PLATFORM_BAD_INTAKE";
}

// SB-04: fields, lengths, policy and mode of every received envelope.
export function checkEnvelopes(lot, check) {
  for (const version of lot.received) {
    check.passed();
    const report = badIntake(lot, version) ? "note" : "fail", place = `${version.logged.place} envelope ${short(version.sha256)}`;
    for (const [code, values] of envelopeFaults(lot, version)) check[report](place, code, values);
  }
}

// SB-05: signature by a key registered before and not revoked; the record names the signature as received.
export async function checkBidSignatures(lot, check) {
  for (const version of lot.everyVersion) {
    const { document, logged } = version;
    if (document === null) continue;
    const report = badIntake(lot, version) ? "note" : "fail";
    for (const [code, values] of signatureFaults(version)) check[report](`${logged.place} ${document.place}`, code, values);
    const hashes = await Promise.all(document.sigs.map((signature) => hexDigest(canonicalBytes(signature))));
    check.require(logged.place, hashes.includes(logged.body.sig_sha256), "differs", { what: "sig_sha256" });
  }
}

// SB-06: every listed bid was received as the order says, and its versions form an unbroken chain.
export function checkVersions(lot, check) {
  for (const [bid, versions] of [...lot.versions].sort(([left], [right]) => compare(left, right))) {
    versions.forEach(({ seq, document, logged }, at) => {
      check.require(logged.place, seq === at + 1, "version", { bid, found: seq, wanted: at + 1 });
      const named = document === null || document.value.supersedes === (versions[at - 1]?.sha256 ?? null);
      check.require(logged.place, named, "differs", { what: "supersedes" });
    });
  }
  for (const [logged, order] of lot.orders) {
    for (const { bid, envelope_sha256: sha256, n, h } of order.value.bids) {
      const found = (lot.versions.get(bid) ?? []).filter((version) => version.sha256 === sha256);
      const holds = found.some((version) => version.logged.n === n && version.logged.h === h);
      check.require(logged.place, holds, "not_received", { bid, n });
    }
  }
}

// SB-07: received before the close entry and before the close, with the time verdict of T7.
export async function checkOnTime(lot, check) {
  const { closed } = lot, { notes } = lot.evidence;
  if (lot.missing("tender.closed")) check.fail(lot.place, "no_record", { kind: "tender.closed" });
  if (closed === null) return;
  const { close } = closed.body;
  for (const { logged } of lot.everyVersion) {
    check.require(logged.place, logged.n < closed.n, "after_close_entry");
    check.require(logged.place, logged.body.received_at < close, "late");
    const verdict = timeVerdict(logged.n, closed.n, close, notes, await intakeUpper(lot, logged));
    check.require(logged.place, verdict !== QUESTIONABLE, "questionable");
  }
}

// The leaf data of a bid in bids_root (S8).
export const manifestLeaf = ({ bid, envelope_sha256, h, seq }) => canonicalBytes({ bid, envelope_sha256, h, seq });

// The manifest rows that the records give: of each bid the newest version before the close (S8). A withdrawn bid and one
// sealed under another policy have no row.
export function validHeads(lot, closed) {
  const rows = [];
  for (const [bid, versions] of [...lot.versions].sort(([left], [right]) => compare(left, right))) {
    const head = versions.filter(({ logged }) => logged.n < closed.n).at(-1);
    if (head === undefined || !head.received) continue;
    if (head.document === null || head.document.value.policy_sha256 === closed.body.policy_sha256) {
      rows.push({ bid, envelope_sha256: head.sha256, h: head.logged.h, seq: head.seq });
    }
  }
  return rows;
}

// SB-08: bids_root and count from the records; a public bundle opens the bids only after the order.
export async function checkManifest(lot, check) {
  const { closed, order, orders, evidence } = lot;
  if (closed === null) return;
  const heads = validHeads(lot, closed), { count, bids_root: root } = closed.body;
  if (!evidence.wholeLog && orders.length === 0 && count !== heads.length) {
    check.note(closed.place, "bids_hidden");
    return;
  }
  const listed = order === null ? [] : order.value.bids.filter((row) => row.objection_h !== null);
  const added = listed.map(({ bid }) => bid), rows = heads.filter(({ bid }) => !added.includes(bid));
  for (const bid of added) check.note(closed.place, "bid_added", { bid });
  check.require(closed.place, count === rows.length, "bid_count", { found: count, wanted: rows.length });
  const found = hex(await rootOf(rows.map(manifestLeaf)));
  check.require(closed.place, root === found, "recomputed", { what: "bids_root", found: root, wanted: found });
}

// SB-18: no seed, factor, part or share ciphertext twice inside the lot.
export async function checkFingerprints(lot, check) {
  const seen = new Map();
  for (const { document, sha256, logged } of lot.received) {
    if (document === null) continue;
    check.passed();
    for (const [kind, value] of await fingerprints(document)) {
      const other = seen.get(`${kind} ${value}`) ?? sha256;
      seen.set(`${kind} ${value}`, other);
      if (other !== sha256) check.fail(`${logged.place} envelope ${short(sha256)}`, "copied", { what: kind, other });
    }
  }
}
