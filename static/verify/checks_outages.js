// TE-02: outages recomputed from the probes that a derived schedule names, or that a close passed over (TE1 T5, T6).
import { isConfirmed } from "./checks_clocks.js";
import { TYPICAL, settledBefore, wasSeen } from "./checks_refusals.js";
import { compare } from "./fields.js";

export const PROBE_KINDS = ["availability.state"];
const VANTAGES = ["operator", "supervisor"], LEAST_FAILED = 2;

// No lot was closed over an outage that moves its deadline, unless agency and supervisor confirmed it. Only the whole log
// shows what the probes told.
export function checkOutageClose(lot, check) {
  const { closed, schedule, evidence } = lot;
  if (closed === null || schedule === null || !evidence.wholeLog) return;
  const rule = schedule.extension_rule ?? TYPICAL, due = schedule.close;
  const seen = evidence.records.filter((each) => PROBE_KINDS.includes(each.kind) && each.n < closed.n && wasSeen(each, closed));
  const met = outageMet(seen.toSorted((left, right) => left.n - right.n), rule, due, settledBefore(lot, closed));
  const moving = met !== null && (met.until === null || met.until + rule.extend_ms > due);
  if (moving && isConfirmed(evidence, closed, "outage")) check.note(closed.place, "outage_confirmed");
  else check.require(closed.place, !moving, "outage_closed");
}

// The end of the last outage that counts, null while one goes on, and its probes in log order; null if none counts:
// enough of them between look-back and deadline, or one in progress at it.
export function outageMet(rows, rule, close, settled) {
  const begin = Math.max(close - rule.look_back_ms, settled), found = outagesTold(rows);
  const running = found.filter(({ first, last }) => first <= close && (last === null || last > close));
  const parts = found.filter((each) => running.includes(each) || inside(each, begin, close) > 0);
  const sum = parts.reduce((total, each) => total + inside(each, begin, close), 0);
  if (running.length === 0 && (parts.length === 0 || sum < rule.min_outage_ms)) return null;
  const ends = parts.map(({ last }) => last), named = new Set(parts.flatMap(({ hs }) => hs));
  return { until: ends.includes(null) ? null : Math.max(...ends), hs: rows.map(({ h }) => h).filter((h) => named.has(h)) };
}

// What the failures of every vantage point have in common.
function outagesTold(rows) {
  const [first, ...others] = VANTAGES.map((vantage) => failures(rows.filter(({ body }) => body.vantage === vantage)));
  return others.reduce((found, other) => found.flatMap((one) => other.flatMap((each) => common(one, each))), first);
}

// The failures at one vantage point: at least two failed probes in a row, until the next good one ends.
function failures(probes) {
  const found = [];
  let failed = [];
  const sorted = probes.toSorted((left, right) =>
    left.body.from - right.body.from || left.body.ms - right.body.ms || compare(left.h, right.h));
  for (const probe of sorted) {
    if (!probe.body.ok) {
      failed.push(probe);
      continue;
    }
    if (failed.length >= LEAST_FAILED) {
      found.push({ first: failed[0].body.from, last: probe.body.from + probe.body.ms, hs: [...failed, probe].map(({ h }) => h) });
    }
    failed = [];
  }
  if (failed.length >= LEAST_FAILED) found.push({ first: failed[0].body.from, last: null, hs: failed.map(({ h }) => h) });
  return found;
}

function common(one, other) {
  const first = Math.max(one.first, other.first), last = earlier(one.last, other.last);
  return last !== null && last <= first ? [] : [{ first, last, hs: [...one.hs, ...other.hs] }];
}

const earlier = (one, other) => {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
};

const inside = ({ first, last }, begin, end) => Math.max(0, (last === null ? end : Math.min(last, end)) - Math.max(first, begin));
