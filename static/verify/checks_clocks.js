// TE-07: the database clock was healthy around every deadline, and no deadline inside a hold was closed (TE1 T3).
import { DRAIN_MS } from "./bounds.js";
import { alike } from "./bytes.js";

export const BEFORE_CLOSE_MS = 120_000;
export const CLOCK_KINDS = ["clock.hold", "clock.released"];
const MAX_AGE_MS = 120_000, MAX_ERROR_US = 500_000;

// Where the whole log is there: what is left out elsewhere may be the very record that matters.
export function checkClocks(evidence, check) {
  if (!evidence.wholeLog) return;
  const states = evidence.ofKind("clock.state").filter(({ body }) => body.host === "database"), holds = holdsTold(clockRows(evidence));
  for (const closed of evidence.ofKind("tender.closed")) {
    const first = closed.body.close - BEFORE_CLOSE_MS, last = closed.body.close + DRAIN_MS;
    const clear = holds.every(({ begun, ended }) => begun > last || (ended !== null && ended < first));
    if (!clear && isConfirmed(evidence, closed, "clock")) check.note(closed.place, "clock_confirmed");
    else check.require(closed.place, clear, "clock_hold");
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

// Whether agency and supervisor signed before the close that this deadline counts (TE1 T5).
export function isConfirmed(evidence, closed, reason) {
  const wanted = [closed.procedure, closed.body.lot, closed.body.stage, reason];
  return evidence.ofKind("closing.confirmed").some(({ n, procedure, body }) => {
    const document = evidence.document(body.doc_sha256, "mb.closing-confirmation");
    if (document === null || n >= closed.n) return false;
    const { value } = document, here = [procedure, body.lot, body.stage, body.reason];
    const said = [value.tender, value.lot, value.stage, value.reason];
    const signed = ["agency", "supervisor"].every((role) => document.signedBy(role) !== null);
    return alike(here, wanted) && alike(said, wanted) && value.close === closed.body.close && signed;
  });
}

// The commitments, first and last instant of every hold; null while it goes on. The rows stand in log order.
// The clock may have been set back, and a second hold of a host prolongs the first.
export function holdsTold(rows) {
  const started = new Map(), found = [];
  for (const each of rows) {
    const { host } = each.body, start = started.get(host);
    if (each.kind === "clock.hold") {
      if (start === undefined) started.set(host, each);
    } else if (start !== undefined) {
      started.delete(host);
      found.push({ hs: [start.h, each.h], begun: Math.min(start.at, each.at), ended: Math.max(start.at, each.at) });
    }
  }
  return [...found, ...[...started.values()].map(({ h, at }) => ({ hs: [h], begun: at, ended: null }))];
}

// Every record of a hold or its end, in log order.
export const clockRows = (evidence) =>
  CLOCK_KINDS.flatMap((kind) => evidence.ofKind(kind)).sort((left, right) => left.n - right.n);
