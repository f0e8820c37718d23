// The result of a verification: one line per check, what was found and where (AL1 L12.2, L12.3).
import { Fault } from "./bytes.js";

export const OK = "ok", FAIL = "fail", GAP = "not_checked", ABSENT = "absent";
const MOST_TOLD = 100;

// It is ok only if something was checked and nothing failed or stayed open.
export class Check {
  constructor(id) {
    Object.assign(this, { id, done: 0, failures: [], gaps: [], notes: [] });
  }
  passed(count = 1) {
    this.done += count;
  }
  fail(place, code, values = {}) {
    this.failures.push({ place, code, values });
  }
  gap(place, code, values = {}) {
    this.gaps.push({ place, code, values });
  }
  note(place, code, values = {}) {
    this.notes.push({ place, code, values });
  }
  // One thing checked; `code` says what is wrong if it does not hold.
  require(place, holds, code, values = {}) {
    this.done += 1;
    if (!holds) this.fail(place, code, values);
    return holds;
  }
  // What was thrown on hostile data is a failure, whatever it is.
  caught(place, error) {
    if (error instanceof Fault) this.fail(error.values.place ?? place, error.code, error.values);
    else this.fail(place, "broken", { error: `${error.name}: ${error.message}` });
  }
  get state() {
    if (this.failures.length > 0) return FAIL;
    if (this.gaps.length > 0) return GAP;
    return this.done > 0 ? OK : ABSENT;
  }
  asData() {
    const { id, state, done } = this;
    const told = Object.entries({ failures: this.failures, gaps: this.gaps, notes: this.notes });
    const counts = Object.fromEntries(told.map(([name, rows]) => [name, rows.length]));
    return { id, state, done, counts, ...Object.fromEntries(told.map(([name, rows]) => [name, rows.slice(0, MOST_TOLD)])) };
  }
}

const ORDER = ["AL", "TE", "SB", "ED", "RK"];
const rank = (id) => ORDER.indexOf(id.slice(0, 2)) * 100 + Number(id.slice(3));

export class Report {
  constructor(trusted) {
    Object.assign(this, { trusted, trustSha256: null, demo: false, facts: {}, checks: new Map() });
  }
  check(id) {
    if (!this.checks.has(id)) this.checks.set(id, new Check(id));
    return this.checks.get(id);
  }
  // The words of L12.3: what failed wins over what is open, and without the reader's own trust file nothing passes.
  get verdict() {
    const states = new Set([...this.checks.values()].map((check) => check.state));
    if (states.has(FAIL)) return "fails";
    return this.trusted && !states.has(GAP) && states.has(OK) ? "holds" : "incomplete";
  }
  asData() {
    const checks = [...this.checks.values()].sort((left, right) => rank(left.id) - rank(right.id));
    const { verdict, trusted, trustSha256, demo, facts } = this;
    return { verdict, trusted, trustSha256, demo, facts, checks: checks.map((check) => check.asData()) };
  }
}
