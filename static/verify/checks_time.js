// Checks of time evidence: TE-01, TE-03 to TE-07 and TE-09 (TE1 T3, T11).
import { alike } from "./bytes.js";
import { DRAIN_MS, HALF_HOUR_MS, lower, NOT_A_BID, PROVEN_ON_TIME, QUESTIONABLE, timeVerdict, upper } from "./bounds.js";
import { validHeads } from "./checks_bids.js";
import { newestFactorList, usedReleases } from "./ceremony.js";
import { isHere } from "./envelopes.js";
import { intakeUpper } from "./intake.js";

const SEQUENCING_MS = 60_000;
const CHANGEABLE = [
  "cause", "close", "evidence", "factor_window_ms", "objection_ms", "release_window_ms", "rescue_ms", "seq",
  "share_check_ms", "supersedes",
];

// TE-01: unbroken chain, signed by the agency or derived, only later, before the close, 30 minutes ahead.
export function checkScheduleChain(lot, check) {
  const { closed } = lot;
  if (lot.missing("tender.published")) check.fail(lot.place, "no_record", { kind: "tender.published" });
  let before = null;
  for (const [logged, schedule] of lot.schedules) {
    const { value, place } = schedule;
    check.require(place, isHere(lot, value), "other_lot");
    check.require(place, value.close % 1000 === 0, "full_second");
    if (value.cause === null) check.require(place, schedule.signedBy("agency") !== null, "not_signed_by", { role: "agency" });
    if (closed !== null) check.require(logged.place, logged.n < closed.n, "after_close_entry");
    checkStep(check, logged, schedule, before);
    before = schedule;
  }
}

function checkStep(check, logged, { value, place, sha256 }, before) {
  if (before === null) {
    check.require(place, value.seq === 1 && value.supersedes === null && value.cause === null, "not_first");
    return;
  }
  if (before.sha256 === sha256) return;
  check.require(place, value.seq === before.value.seq + 1 && value.supersedes === before.sha256, "not_next");
  check.require(place, value.close >= before.value.close, "close_earlier");
  const same = Object.keys(value).every((name) => CHANGEABLE.includes(name) || alike(value[name], before.value[name]));
  check.require(place, same, "changes_fixed");
  const early = value.close === before.value.close || value.close >= logged.at + HALF_HOUR_MS;
  check.require(logged.place, early, "half_hour");
}

// TE-03: a quorum signed a tree with deadline.reached after the close, before the close entry.
export function checkHeartbeat(lot, check) {
  const { closed } = lot, hidden = lot.veiled && lot.first("deadline.reached") === null;
  if (lot.missing("deadline.reached") && !hidden) check.fail(lot.place, "no_record", { kind: "deadline.reached" });
  if (closed === null) return;
  const { heartbeat_size: size, close } = closed.body;
  const reached = lot.all("deadline.reached").some(({ n, body }) => body.close === close && n < size);
  check.require(closed.place, (hidden || reached) && size <= closed.n, "heartbeat_size", { size });
  const late = lot.evidence.notes.some(({ low, checkpoint }) => checkpoint.size === size && low !== null && 1000 * low >= close);
  check.require(`checkpoints/${size}-last`, late, "no_heartbeat", { size });
}

// TE-04: the close entry was not shown before the close; the drain was waited for.
export function checkCloseEntry(lot, check) {
  const { closed } = lot, { notes } = lot.evidence;
  if (closed === null) return;
  const { close, closed_at: at } = closed.body;
  check.require(closed.place, lower(closed.n, notes) >= close, "closed_lower");
  check.require(closed.place, upper(closed.n, notes) >= close, "closed_early");
  check.require(closed.place, at >= close + DRAIN_MS, "drain");
}

// TE-05: the verdict of T7 on every bid of the manifest.
export async function checkBidTimes(lot, check) {
  const { closed } = lot, { notes } = lot.evidence;
  if (closed === null) return;
  const heads = new Set(validHeads(lot, closed).map(({ h }) => h));
  let proven = 0;
  for (const logged of lot.all("bid.received").filter(({ h }) => heads.has(h))) {
    const verdict = timeVerdict(logged.n, closed.n, closed.body.close, notes, await intakeUpper(lot, logged));
    if (verdict === PROVEN_ON_TIME) proven += 1;
    check.require(logged.place, ![NOT_A_BID, QUESTIONABLE].includes(verdict), "time_verdict", { bid: logged.body.bid, verdict });
  }
  if (heads.size > 0) check.note(lot.place, "proven", { count: proven, total: heads.size });
}

// TE-06: t and `at` at most 60 s apart, except inside a recorded delay of the sequencer.
export function checkEntryTimes(evidence, check) {
  const delays = evidence.ofKind("log.delayed").map(({ body }) => [body.from, body.to]);
  let last = 0;
  for (const { place, t, at } of evidence.records) {
    check.require(place, t >= last, "time_decreases");
    last = t;
    const near = Math.abs(t - at) <= SEQUENCING_MS, excused = delays.some(([from, to]) => from <= at && at <= to);
    check.require(place, near || excused, "apart", { ms: Math.abs(t - at) });
  }
}

// TE-09: objection, share check, factor, release and rescue windows start and end as the schedule says.
export function checkWindows(lot, check) {
  const { schedule, orders } = lot;
  if (schedule === null || orders.length === 0) return;
  const first = orders[0][0], newest = orders.at(-1)[0];
  const start = lot.first(lot.factorMode ? "factor.opened" : "share.released");
  checkObjections(lot, check, schedule, first, start);
  if (start !== null) {
    check.require(start.place, start.at >= first.at + schedule.objection_ms, "window", { what: "objection_ms" });
    const answered = custodiansBefore(lot, "share.checked", start.n) >= custodianCount(lot);
    const late = start.at >= newest.at + schedule.share_check_ms;
    check.require(start.place, answered || late, "window", { what: "share_check_ms" });
  }
  if (lot.factorMode) checkFactorWindow(lot, check, schedule);
  checkReleaseWindow(lot, check, schedule, first);
}

const custodianCount = (lot) => lot.policy?.value.custodians.length ?? 16;
const custodiansBefore = (lot, kind, before) =>
  new Set(lot.all(kind).filter(({ n }) => n < before).map(({ body }) => body.custodian)).size;

function checkObjections(lot, check, schedule, first, start) {
  const decided = lot.pairs("objection.decided", "decision_sha256", "sb1.objection-decision");
  for (const { n, h, at, place } of lot.all("objection.raised")) {
    check.require(place, n > first.n && at < first.at + schedule.objection_ms, "window", { what: "objection_ms" });
    const answers = decided.filter(([, decision]) => decision.value.objection_h === h);
    const inTime = start === null || answers.some(([logged]) => logged.n < start.n);
    check.require(place, inTime, "not_decided");
  }
}

function checkFactorWindow(lot, check, schedule) {
  const opened = lot.first("factor.opened"), closed = lot.first("factor.closed");
  if (opened === null) return;
  const { ends_at: end } = opened.body;
  check.require(opened.place, end >= opened.at + schedule.factor_window_ms, "window", { what: "factor_window_ms" });
  if (closed !== null) check.require(closed.place, closed.at >= end && closed.n > opened.n, "window", { what: "ends_at" });
}

function checkReleaseWindow(lot, check, schedule, first) {
  const gaps = lot.last("release.gaps"), closed = lot.last("release.closed"), newest = newestFactorList(lot);
  const begin = lot.factorMode && newest !== null ? newest[0].at : first.at + schedule.objection_ms;
  if (closed === null) return;
  if (!check.require(closed.place, gaps !== null && gaps.n < closed.n, "no_record", { kind: "release.gaps" })) return;
  const all = usedReleases(lot).filter(([logged]) => logged.n < gaps.n).length >= custodianCount(lot);
  const late = gaps.at >= begin + schedule.release_window_ms;
  check.require(gaps.place, all || late, "window", { what: "release_window_ms" });
  const rescue = closed.at >= gaps.at + schedule.rescue_ms;
  check.require(closed.place, gaps.body.bids.length === 0 || rescue, "window", { what: "rescue_ms" });
}
