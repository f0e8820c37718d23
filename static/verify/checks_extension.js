// TE-02: deadlines that moved by rule, recomputed from their evidence records, and confirmed ones (TE1 T5, T6).
import { DRAIN_MS } from "./bounds.js";
import { alike } from "./bytes.js";
import { BEFORE_CLOSE_MS, CLOCK_KINDS, holdsTold } from "./checks_clocks.js";
import { PROBE_KINDS, outageMet } from "./checks_outages.js";
import { closeByRule, settledBefore, untilRefused } from "./checks_refusals.js";

const MOST_DERIVED = 3;
const KINDS_OF_CAUSE = new Map([["clock", CLOCK_KINDS], ["outage", PROBE_KINDS]]);

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
  const recompute = cause === "refusal" ? untilRefused : untilEvidence;
  const until = recompute(lot, check, logged, { value, place }, before);
  if (until === null) return;
  const wanted = closeByRule(until, rule, logged.at);
  check.require(place, close === wanted, "recomputed", { what: "close", found: close, wanted });
  check.require(place, until + rule.extend_ms > due, "extension_needless");
}

// The end of the failures that a derived schedule names; null if its evidence moves nothing.
function untilEvidence(lot, check, logged, schedule, before) {
  const { value, place } = schedule, rows = evidenceRows(lot, check, logged, schedule);
  if (rows === null) return null;
  const until = met(lot, logged, schedule, before, rows)?.until ?? null;
  if (!check.require(place, until !== null, "evidence_short")) return null;
  if (lot.evidence.wholeLog) {
    const kinds = KINDS_OF_CAUSE.get(value.cause);
    const known = lot.evidence.records.filter(({ kind, n }) => kinds.includes(kind) && n < logged.n);
    const all = met(lot, logged, schedule, before, known.sort((left, right) => left.n - right.n));
    check.require(place, all !== null && alike(value.evidence, all.hs), "evidence_part");
  }
  return until;
}

// What these records make of the deadline: the end of the failure, and which of them tell it.
function met(lot, logged, { value: { cause } }, before, rows) {
  const { close, extension_rule: rule } = before.value;
  return cause === "clock" ? clockMet(rows, close) : outageMet(rows, rule, close, settledBefore(lot, logged));
}

// The records that the schedule names; null if one is not there. They are of its cause, in log order and before it.
function evidenceRows(lot, check, logged, { value: { cause, evidence }, place }) {
  const byH = new Map(lot.evidence.records.map((each) => [each.h, each]));
  const rows = evidence.filter((h) => byH.has(h)).map((h) => byH.get(h));
  if (!check.require(place, rows.length === evidence.length, "evidence_missing")) return null;
  const strange = rows.filter(({ kind, n }) => !KINDS_OF_CAUSE.get(cause).includes(kind) || n >= logged.n);
  for (const each of strange) check.fail(each.place, "evidence_other", { cause });
  check.require(place, rows.every(({ n }, at) => at === 0 || rows[at - 1].n < n), "evidence_order");
  return strange.length > 0 ? null : rows;
}

// The end of the last hold that touched [close − 120 s, close + drain], null while one goes on, and the records of all.
function clockMet(rows, close) {
  const found = holdsTold(rows).filter(({ begun, ended }) =>
    begun <= close + DRAIN_MS && (ended === null || ended >= close - BEFORE_CLOSE_MS));
  if (found.length === 0) return null;
  const ends = found.map(({ ended }) => ended), named = new Set(found.flatMap(({ hs }) => hs));
  return { until: ends.includes(null) ? null : Math.max(...ends), hs: rows.map(({ h }) => h).filter((h) => named.has(h)) };
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
