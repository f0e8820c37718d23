// TE-07: the database clock was healthy around every deadline, and no deadline inside a hold was closed (TE1 T3).
import { DRAIN_MS } from "./bounds.js";

const MAX_AGE_MS = 120_000, BEFORE_CLOSE_MS = 120_000, MAX_ERROR_US = 500_000;

// Where the whole log is there: what is left out elsewhere may be the very record that matters.
export function checkClocks(evidence, check) {
  if (!evidence.wholeLog) return;
  const states = evidence.ofKind("clock.state").filter(({ body }) => body.host === "database"), holds = holdsOf(evidence);
  for (const closed of evidence.ofKind("tender.closed")) {
    const first = closed.body.close - BEFORE_CLOSE_MS, last = closed.body.close + DRAIN_MS;
    for (const { host, begun, ended } of holds) {
      check.require(closed.place, begun > last || (ended !== null && ended < first), "clock_hold", { host });
    }
    if (!evidence.report.demo) checkStates(states, first, last, closed, check);
  }
  if (evidence.report.demo) check.note("bundle", "demo_clock"); // it moves its one clock on and says so (AL-12)
}

// From `first` to `last` there was always a healthy state of at most 120 s.
function checkStates(states, first, last, closed, check) {
  const seen = [...states.filter(({ at }) => at <= first).slice(-1), ...states.filter(({ at }) => first < at && at <= last)];
  const from = first - MAX_AGE_MS, instants = [from, ...seen.map(({ at }) => at).filter((at) => at > from), last];
  const gap = Math.max(...instants.slice(1).map((at, before) => at - instants[before]));
  check.require(closed.place, gap <= MAX_AGE_MS, "clock_silent", { ms: gap });
  for (const { place, body } of seen) {
    check.require(place, body.synchronised, "clock_wrong");
    check.require(place, Math.abs(body.offset_us) + body.dispersion_us <= MAX_ERROR_US, "clock_wrong");
  }
}

// Host, first and last instant of every hold; null while it goes on. The clock may be set back.
function holdsOf(evidence) {
  const begun = new Map(), found = [];
  const rows = [...evidence.ofKind("clock.hold"), ...evidence.ofKind("clock.released")];
  for (const { kind, at, body: { host } } of rows.sort((left, right) => left.n - right.n)) {
    if (kind === "clock.hold") {
      if (!begun.has(host)) begun.set(host, at);
    } else if (begun.has(host)) {
      const start = begun.get(host);
      begun.delete(host);
      found.push({ host, begun: Math.min(start, at), ended: Math.max(start, at) });
    }
  }
  return [...found, ...[...begun].map(([host, at]) => ({ host, begun: at, ended: null }))];
}
