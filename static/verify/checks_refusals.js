// TE-02: what the platform refused by its own fault moves its deadline, and nothing else does (TE1 T4.3, T5, T6).
// The records of refusals name bidders: tier `audit` alone has them. Below it only the bounds of a deadline are checked.
import { DRAIN_MS, HALF_HOUR_MS } from "./bounds.js";
import { isConfirmed } from "./checks_clocks.js";

const FULL_MINUTE_MS = 60_000;
export const TYPICAL = { extend_ms: 7_200_000, look_back_ms: 7_200_000, min_outage_ms: 600_000 }; // T6, where the agency gave no consent
const UNSEEN_MS = 1_000; // what was logged so shortly before a transaction began may not have been seen by it

// No lot was closed over a refusal that moves its deadline, unless agency and supervisor confirmed it.
export function checkRefusedClose(lot, check) {
  const { closed, schedule, evidence } = lot;
  if (closed === null || schedule === null || !evidence.holds("audit")) return;
  const rule = schedule.extension_rule ?? TYPICAL, due = schedule.close;
  const moving = refusedAround(lot, closed, rule, due).some(({ logged, arrival }) =>
    arrival + rule.extend_ms > due && wasSeen(logged, closed));
  if (moving && isConfirmed(evidence, closed, "refusal")) check.note(closed.place, "refusal_confirmed");
  else check.require(closed.place, !moving, "refusal_closed");
}

// The arrival of the last refusal, which a derived schedule names; null if there is nothing to use.
// Only the last one is named: the number of refusals would tell how many bid.
export function untilRefused(lot, check, logged, { value, place }, before) {
  const rule = before.value.extension_rule, due = before.value.close, named = value.evidence;
  check.require(place, named.length === 1, "refusal_count");
  const row = lot.all("bid.refused").find(({ h }) => h === named[0]) ?? null;
  if (row === null && !lot.evidence.holds("audit")) return checkRange(lot, check, logged, { value, place }, before);
  if (!check.require(place, row !== null && row.n < logged.n, "refusal_other")) return null;
  const found = refusedAround(lot, logged, rule, due), own = found.find((each) => each.logged.h === row.h);
  if (!check.require(place, own !== undefined, "evidence_short")) return null;
  const later = found.some((each) => each.arrival > own.arrival && wasSeen(each.logged, logged));
  check.require(place, !later, "refusal_last");
  return own.arrival;
}

// Some refusal could have moved the deadline so far, where the refusal itself is not shown.
function checkRange(lot, check, logged, { value, place }, before) {
  const rule = before.value.extension_rule, due = before.value.close, { close } = value;
  const first = Math.max(firstArrival(lot, logged, rule, due), due - rule.extend_ms + 1);
  const last = Math.min(due + DRAIN_MS, logged.at);
  const [lowest, highest] = [first, last].map((until) => closeByRule(until, rule, logged.at));
  const met = first <= last && lowest <= close && close <= highest && close % FULL_MINUTE_MS === 0;
  check.require(place, met, "refusal_range");
  check.note(place, "refusal_hidden");
  return null;
}

// What the platform refused by its own fault around a deadline, as an act of the closer found it.
function refusedAround(lot, act, rule, due) {
  const first = firstArrival(lot, act, rule, due), last = due + DRAIN_MS;
  return caused(lot).filter(({ logged, arrival }) => first <= arrival && arrival <= last && logged.n < act.n);
}

// Whether a record was in the log when the act began, so that the act had to heed it.
export const wasSeen = ({ t }, { at }) => t <= at - UNSEEN_MS;

// The deadline that follows from the end of a failure, told by a record of the instant `at`.
export function closeByRule(until, rule, at) {
  const earliest = Math.max(until + rule.extend_ms, at + HALF_HOUR_MS), over = earliest % FULL_MINUTE_MS;
  return over === 0 ? earliest : earliest - over + FULL_MINUTE_MS;
}

const firstArrival = (lot, act, rule, due) => Math.max(due - rule.look_back_ms, settledBefore(lot, act));

// From when on failures count: what the agency decided about after a deadline is settled (T5).
export function settledBefore(lot, act) {
  const known = deadlines(lot).filter(({ n }) => n < act.n);
  const settled = known.filter((after, index) => index > 0 && after.signed
    && after.close > known[index - 1].close && after.since >= known[index - 1].close);
  return Math.max(0, ...settled.map(({ since }) => since));
}

// Every refusal that the platform caused, judged by the deadline in force at the arrival (T4.3).
function caused(lot) {
  const known = deadlines(lot);
  return lot.all("bid.refused").map((logged) => ({ logged, arrival: logged.body.received_at - logged.body.queue_ms }))
    .filter(({ logged: { body }, arrival }) => {
      const due = known.filter(({ since }) => since <= arrival).at(-1)?.close;
      return due !== undefined && isCaused(body.code, arrival, body.received_at, due);
    });
}

function isCaused(code, arrival, received, due) {
  if (code === "bid.late") return arrival < due && due <= received;
  return ["bid.closed", "clock.hold"].includes(code) || (code === "busy" && arrival < due);
}

// The deadlines of the lot in log order: from when on each was in force, and whether the agency signed it.
const deadlines = (lot) => lot.schedules.map(([{ n, at }, { value }]) =>
  ({ n, since: at, close: value.close, signed: value.cause === null }));
