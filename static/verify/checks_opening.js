// Checks of the ceremony: order, share checks, factors, releases, combination: SB-09 to SB-13, SB-19 (SB1 S17).
import { alike, hex, short } from "./bytes.js";
import {
  finalVerdict, firstFactorList, institutionOf, newestFactorList, releasedBids, revealedBids, shareChecksEnd,
} from "./ceremony.js";
import { manifestLeaf } from "./checks_bids.js";
import { isHere } from "./envelopes.js";
import { compare } from "./fields.js";
import { rootOf } from "./merkle.js";

const STATION_FIELDS = ["checkpoint", "created", "seq", "station_pk", "supersedes"];
export const BAD_CODES = ["bad_index", "bad_length", "commit_mismatch", "hpke_open_failed"];

function requireSigned(check, document, ...roles) {
  for (const role of roles) check.require(document.place, document.signedBy(role) !== null, "not_signed_by", { role });
}
const bidsOf = (rows) => rows.map(({ bid }) => bid);

// SB-09: signatures, manifest, objections, growth, and a checkpoint whose quorum signed after the close.
export async function checkOrders(lot, check) {
  const { closed } = lot;
  if (lot.missing("open.ordered") && closed !== null) check.fail(lot.place, "no_record", { kind: "open.ordered" });
  let before = null;
  for (const [logged, order] of lot.orders) {
    requireSigned(check, order, "agency", "supervisor");
    if (closed !== null) await checkAgainstClose(lot, check, logged, order, closed);
    checkOrderCheckpoint(lot, check, order);
    checkObjections(lot, check, order);
    checkGrowth(check, order, before);
    before = order;
  }
}

async function checkAgainstClose(lot, check, logged, { place, value }, closed) {
  check.require(logged.place, logged.n > closed.n, "before_close_entry");
  const names = ["bids_root", "close", "policy_sha256", "schedule_sha256"];
  const same = names.every((name) => value[name] === closed.body[name]);
  check.require(place, same && isHere(lot, value), "differs", { what: names.join(", ") });
  check.require(place, value.closed_n === closed.n && value.closed_h === closed.h, "differs", { what: "closed_n, closed_h" });
  check.require(place, value.bids.every(({ n }) => n < closed.n), "after_close_entry");
  const rows = [...value.bids.filter((row) => row.objection_h === null), ...value.omitted];
  const root = hex(await rootOf(rows.sort((left, right) => compare(left.bid, right.bid)).map(manifestLeaf)));
  check.require(place, root === value.bids_root, "recomputed", { what: "bids_root", found: value.bids_root, wanted: root });
  if (value.omitted.length === 0) return;
  check.require(place, lot.stage === "price", "omitted");
  check.gap(place, "first_stage");
}

// The note as signed counts, not a better one of the same size: the custodians saw only this one.
function checkOrderCheckpoint(lot, check, { place, value }) {
  const note = lot.evidence.noted.get(place);
  const holds = note !== undefined && note.checkpoint.size > value.closed_n && note.low !== null && 1000 * note.low >= value.close;
  check.require(place, holds, "order_checkpoint");
}

function checkObjections(lot, check, order) {
  const decided = lot.pairs("objection.decided", "decision_sha256", "sb1.objection-decision");
  for (const row of order.value.bids.filter(({ objection_h: h }) => h !== null)) {
    const holds = decided.some(([logged, { value }]) =>
      logged.h === row.objection_h && value.decision === "add" && value.envelope_sha256 === row.envelope_sha256);
    check.require(order.place, holds, "not_decided", { bid: row.bid });
  }
  const raised = new Set(lot.all("objection.raised").map(({ h }) => h));
  for (const [logged, decision] of decided) {
    requireSigned(check, decision, "supervisor");
    // A rejected objection is about a bid that no order lists; a public bundle shows nothing of such a bid (S11).
    const hidden = decision.value.decision === "reject" && lot.evidence.header.kind === "public";
    check.require(logged.place, raised.has(decision.value.objection_h) || hidden, "no_objection");
  }
}

function checkGrowth(check, { place, value }, before) {
  const next = value.seq === (before?.value.seq ?? 0) + 1 && value.supersedes === (before?.sha256 ?? null);
  check.require(place, next, "not_next");
  if (before === null) return;
  const now = value.bids.map((row) => JSON.stringify(row));
  check.require(place, before.value.bids.every((row) => now.includes(JSON.stringify(row))), "bid_dropped");
  const fixed = Object.keys(value).filter((name) => name !== "bids" && !STATION_FIELDS.includes(name));
  check.require(place, fixed.every((name) => alike(value[name], before.value[name])), "changes_fixed");
}

// What share checks and releases have in common: the signer, the order, one per custodian and order.
function checkAnswers(lot, check, answers) {
  const orders = new Set(lot.orders.map(([, { sha256 }]) => sha256)), seen = new Set();
  for (const [logged, document] of answers) {
    const { place, value } = document, { custodian, order_sha256: order } = value;
    const signer = document.signedBy("custodian");
    const own = signer !== null && signer.kid === institutionOf(lot, custodian);
    check.require(place, own, "not_signed_by", { role: `custodian ${custodian}` });
    check.require(logged.place, logged.body.custodian === custodian, "differs", { what: "custodian" });
    check.require(place, orders.has(order), "differs", { what: "order_sha256" });
    check.require(place, !seen.has(`${custodian} ${order}`), "answered_twice", { custodian });
    seen.add(`${custodian} ${order}`);
  }
}

// SB-10, first half: share checks before anyone's factor, complete and signed; then adjudications.
export function checkShareChecks(lot, check) {
  const answers = lot.pairs("share.checked", "check_sha256", "sb1.share-check"), end = shareChecksEnd(lot);
  checkAnswers(lot, check, answers);
  for (const [logged, document] of answers) {
    const order = lot.evidence.document(document.value.order_sha256, "sb1.open-order");
    if (order !== null) {
      check.require(document.place, alike(bidsOf(document.value.items), bidsOf(order.value.bids)), "other_bids");
    }
    if (end !== null && logged.n > end) check.note(logged.place, "not_used");
  }
}

// SB-10, second half: adjudications signed, complete, after a disclosure. A disclosed share key opens shares by X-Wing,
// which no browser has.
export function checkAdjudications(lot, check) {
  const disclosed = lot.all("custodian.key_disclosed");
  for (const [logged, document] of lot.pairs("share.adjudicated", "adjudication_sha256", "sb1.adjudication")) {
    const { place, value } = document, index = value.custodian;
    requireSigned(check, document, "supervisor");
    const reported = lot.pairs("share.checked", "check_sha256", "sb1.share-check")
      .filter(([, { value: told }]) => told.custodian === index && told.order_sha256 === value.order_sha256)
      .flatMap(([, { value: told }]) => bidsOf(told.items.filter(({ code }) => BAD_CODES.includes(code))));
    check.require(place, alike(bidsOf(value.items), reported), "other_bids");
    const refused = value.items.every(({ finding }) => finding === "custodian_fault");
    const before = disclosed.some(({ n, body }) => body.custodian === index && n < logged.n);
    check.require(place, refused || before, "finding_alone");
  }
  for (const [logged, document] of lot.pairs("custodian.key_disclosed", "disclosure_sha256", "sb1.key-disclosure")) {
    const { custodian } = logged.body, signer = document.signedBy("custodian");
    const fits = document.value.custodian === custodian && signer !== null && signer.kid === institutionOf(lot, custodian);
    check.require(document.place, fits, "not_signed_by", { role: `custodian ${custodian}` });
    check.gap(document.place, "xwing");
  }
  checkDisclosures(lot, check, disclosed);
}

function checkDisclosures(lot, check, disclosed) {
  const { policy } = lot, completed = lot.first("opening.completed"), known = new Map();
  if (policy === null) return;
  for (const { n, body } of disclosed) {
    if (completed !== null && n >= completed.n) continue;
    const own = policy.value.custodians.filter(({ name }) => name === body.auditor).map(({ i }) => i);
    known.set(body.auditor, new Set([...(known.get(body.auditor) ?? own), body.custodian]));
  }
  for (const [name, indices] of known) {
    check.require(lot.place, indices.size < policy.value.k, "knew_keys", { name, count: indices.size });
  }
}

// SB-11, without the factors themselves: the window, and the newest list against the records.
export function checkFactors(lot, check) {
  if (!lot.factorMode) return;
  for (const kind of ["factor.opened", "factor.closed"]) if (lot.missing(kind)) check.fail(lot.place, "no_record", { kind });
  const opened = lot.first("factor.opened"), first = firstFactorList(lot), released = lot.first("share.released");
  for (const { place, n, body } of lot.all("factor.revealed")) {
    check.require(place, opened !== null && opened.n < n, "window", { what: "factor.opened" });
    if (opened !== null && (first === null || n < first.n)) {
      check.require(place, body.received_at < opened.body.ends_at, "window", { what: "ends_at" });
    }
    const envelope = lot.envelope(body.envelope_sha256);
    check.require(place, envelope !== null && envelope.value.bid === body.bid, "no_envelope");
  }
  for (const { place, n } of lot.all("factor.closed").slice(1)) {
    check.require(place, released === null || n < released.n, "after_release");
  }
  const newest = newestFactorList(lot);
  if (newest !== null) checkFactorList(lot, check, newest[1]);
}

function checkFactorList(lot, check, document) {
  const { place, value } = document, order = lot.evidence.document(value.order_sha256, "sb1.open-order");
  requireSigned(check, document, "agency", "supervisor");
  const [named, wanted] = [value.items, order?.value.bids ?? []].map((rows) =>
    rows.map(({ bid, envelope_sha256: sha256 }) => [bid, sha256]));
  check.require(place, alike(named, wanted), "other_bids");
  const revealed = revealedBids(lot);
  for (const { bid, result } of value.items) {
    if (revealed.has(bid) && result !== "valid" && finalVerdict(lot, bid) === "PLATFORM_FACTOR_LOST") {
      check.note(place, "factor_lost", { bid });
    } else check.require(place, (result === "valid") === revealed.has(bid), "factor_result", { bid, found: result });
  }
}

// SB-12: exactly the valid bids in one document, between the newest factor list and release.closed.
export function checkReleases(lot, check) {
  if (lot.missing("release.closed")) check.fail(lot.place, "no_record", { kind: "release.closed" });
  const answers = lot.pairs("share.released", "release_sha256", "sb1.release");
  checkAnswers(lot, check, answers);
  const newest = newestFactorList(lot), end = lot.last("release.closed"), wanted = releasedBids(lot);
  for (const [logged, { place, value }] of answers) {
    if (lot.factorMode) check.require(logged.place, newest !== null && newest[0].n < logged.n, "before_factor_list");
    const list = lot.factorMode ? (newest?.[1].sha256 ?? "") : null;
    check.require(place, value.factor_list_sha256 === list, "differs", { what: "factor_list_sha256" });
    if (wanted !== null) check.require(place, alike(bidsOf(value.items), wanted), "other_bids");
    if (end !== null && logged.n > end.n) check.note(logged.place, "not_used");
  }
}

// SB-13: everything was combined before anything was opened, and after the releases ended.
export function checkCombination(lot, check) {
  const combined = lot.last("opening.combined"), end = lot.last("release.closed"), { order } = lot;
  if (lot.missing("opening.combined") || (combined === null && lot.first("bid.opened") !== null)) {
    check.fail(lot.place, "no_record", { kind: "opening.combined" });
  }
  if (combined === null) return;
  check.require(combined.place, end !== null && end.n < combined.n, "combined_early");
  for (const { place, n } of [...lot.all("bid.opened"), ...lot.all("bid.verdict")]) {
    check.require(place, combined.n < n, "opened_early");
  }
  if (order !== null) check.require(combined.place, alike(bidsOf(combined.body.items), bidsOf(order.value.bids)), "other_bids");
}

// SB-19: statements of enough custodians for every envelope that was not opened.
export function checkNonRelease(lot, check) {
  const { policy, order, evidence } = lot;
  const own = (document) => document.value.policy_sha256 === policy?.sha256;
  const statements = evidence.ofType("sb1.non-release").filter(own);
  if (policy === null || lot.closed === null || statements.length === 0) return;
  for (const document of statements) {
    const signer = document.signedBy("custodian"), { custodian } = document.value;
    const holds = signer !== null && signer.kid === institutionOf(lot, custodian);
    check.require(document.place, holds, "not_signed_by", { role: `custodian ${custodian}` });
  }
  const ordered = new Set(order?.value.bids.map((row) => row.envelope_sha256) ?? []);
  const needed = policy.value.custodians.length - policy.value.k + 1;
  for (const { sha256 } of lot.received.filter((version) => !ordered.has(version.sha256))) {
    const told = statements.filter(({ value }) => value.envelopes.includes(sha256)).map(({ value }) => value.custodian);
    check.passed();
    const count = new Set(told).size;
    if (count < needed) check.gap(`envelope ${short(sha256)}`, "few_statements", { count, needed });
  }
}
