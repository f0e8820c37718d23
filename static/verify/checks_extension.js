// TE-02: deadlines that moved by rule, recomputed from their evidence records, and confirmed ones (TE1 T5, T6).
import { DRAIN_MS } from "./bounds.js";
import { alike } from "./bytes.js";
import { BEFORE_CLOSE_MS, CLOCK_KINDS, clockRows, holdsTold } from "./checks_clocks.js";
import { closeByRule, untilRefused } from "./checks_refusals.js";

const MOST_DERIVED = 3;

// Each derived schedule has its consent, its evidence, and the deadline that follows from them.
export function checkExtensions(lot, check) {
  let before = null, derived = 0;
  for (const [logged, schedule] of lot.schedules) {
    if (schedule.value.cause !== null && before !== null && before.sha256 !== schedule.sha256) {
      derived += 1;
      checkConsent(check, schedule, before, derived);
      checkDerived(lot, check, logged, schedule, before);
    } else if (Object.hasOwn(logged.body, "evidence")) {
      check.require(logged.place, logged.body.evidence.length === 0, "evidence_alone");
    }
    before = schedule;
  }
}

function checkConsent(check, { value, place }, before, derived) {
  const { cause } = value, rule = before.value.extension_rule;
  check.require(place, rule !== null && rule.triggers.includes(cause), "extension_consent", { cause });
  check.require(place, derived <= MOST_DERIVED, "extension_often", { count: derived, limit: MOST_DERIVED });
}

function checkDerived(lot, check, logged, { value, place }, before) {
  const { cause, evidence, close } = value, rule = before.value.extension_rule, due = before.value.close;
  check.require(logged.place, alike([logged.body.cause, logged.body.evidence], [cause, evidence]), "extension_record");
  if (rule === null) return;
  const recompute = { clock: untilClock, refusal: untilRefused }[cause];
  if (recompute === undefined) return void check.gap(place, "extension", { cause });
  const until = recompute(lot, check, logged, { value, place }, before);
  if (until === null) return;
  const wanted = closeByRule(until, rule, logged.at);
  check.require(place, close === wanted, "recomputed", { what: "close", found: close, wanted });
  check.require(place, until + rule.extend_ms > due, "extension_needless");
}

// The end of the last hold that a derived schedule names; null if its evidence moves nothing.
function untilClock(lot, check, logged, { value, place }, before) {
  const rows = evidenceRows(lot, check, logged, { value, place }), due = before.value.close;
  const until = rows === null ? null : clockUntil(rows, due);
  if (rows === null || !check.require(place, until !== null, "evidence_short")) return null;
  if (lot.evidence.wholeLog) check.require(place, alike(value.evidence, allOf(lot.evidence, logged, due)), "evidence_part");
  return until;
}

// The records that the schedule names; null if one is not there. They are of a clock, in log order and before it.
function evidenceRows(lot, check, logged, { value: { evidence }, place }) {
  const byH = new Map(lot.evidence.records.map((each) => [each.h, each]));
  const rows = evidence.filter((h) => byH.has(h)).map((h) => byH.get(h));
  if (!check.require(place, rows.length === evidence.length, "evidence_missing")) return null;
  for (const each of rows) {
    check.require(each.place, CLOCK_KINDS.includes(each.kind) && each.n < logged.n, "evidence_other", { cause: "clock" });
  }
  check.require(place, rows.every(({ n }, at) => at === 0 || rows[at - 1].n < n), "evidence_order");
  return rows;
}

// The end of the last hold that touched a deadline; null if none did, or one is not over.
function clockUntil(rows, close) {
  const ends = touching(rows, close).map(({ ended }) => ended);
  return ends.length > 0 && !ends.includes(null) ? Math.max(...ends) : null;
}

// The holds that have a moment in common with [close − 120 s, close + drain].
const touching = (rows, close) => holdsTold(rows).filter(({ begun, ended }) =>
  begun <= close + DRAIN_MS && (ended === null || ended >= close - BEFORE_CLOSE_MS));

// All that the whole log knew of the clock at this deadline, and nothing else.
function allOf(evidence, logged, close) {
  const rows = clockRows(evidence).filter(({ n }) => n < logged.n);
  const wanted = new Set(touching(rows, close).flatMap(({ hs }) => hs));
  return rows.map(({ h }) => h).filter((h) => wanted.has(h));
}

// What agency and supervisor confirmed was blocked, for that reason, at that deadline (T5).
export function checkConfirmations(lot, check) {
  for (const [logged, { value, place }] of lot.pairs("closing.confirmed", "doc_sha256", "mb.closing-confirmation")) {
    const here = [lot.procedure, lot.lot, lot.stage, logged.body.reason];
    check.require(place, alike([value.tender, value.lot, value.stage, value.reason], here), "confirmed_other");
    const inForce = lot.schedules.filter(([{ n }]) => n < logged.n).at(-1)?.[1].value.close ?? null;
    check.require(place, inForce === value.close, "confirmed_deadline");
    const met = lot.all("closing.blocked").some(({ n, at, body }) =>
      body.reason === value.reason && n < logged.n && at >= value.close);
    check.require(logged.place, met, "confirmed_alone");
    check.require(logged.place, lot.closed === null || logged.n < lot.closed.n, "after_close_entry");
  }
}
