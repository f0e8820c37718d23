// Calls of the bids API (SB1 S7.1). Each may be repeated: the same content gives the same answer.
import { SealingFault } from "./encoding.js";

const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30_000;
const ANSWER_MS = 180_000; // for 4 MiB: a line that carries less than 24 kB/s counts as lost
const AGAIN = [0, 429]; // besides faults of the server, which may pass

export const mayPass = ({ status }) => AGAIN.includes(status) || status >= 500;
export const pauseOf = (failures) => Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);

// Wait, but no longer than until the machine is on the network again, or the bidder pauses.
export function pause(ms, stop) {
  return new Promise((resolve) => {
    const ended = new AbortController(), { signal } = ended;
    const end = () => {
      ended.abort();
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener("abort", end, { signal });
    addEventListener("online", end, { signal });
  });
}

export class Api {
  // `token`: of the bidder. `stop`: a signal that ends whatever is on its way.
  constructor(token, stop = new AbortController().signal) {
    Object.assign(this, { token, stop });
  }
  // {status, content}. Status 0: no answer came, and whether the request arrived is not known.
  async call(method, path, body, headers = {}, limitMs = ANSWER_MS) {
    this.proceed();
    const signal = AbortSignal.any([this.stop, AbortSignal.timeout(limitMs)]);
    const all = { Authorization: `Bearer ${this.token}`, Accept: "application/json", ...headers };
    try {
      const answer = await fetch(`/api/v1${path}`, { method, body, signal, headers: all, credentials: "omit" });
      return { status: answer.status, content: (await answer.json().catch(() => null)) ?? {} };
    } catch {
      this.proceed();
      return { status: 0, content: {} };
    }
  }
  post(path, value) {
    return this.call("POST", path, JSON.stringify(value), { "Content-Type": "application/json" });
  }
  proceed() {
    if (this.stop.aborted) throw new SealingFault("paused");
  }
}

export const refused = ({ status, content }) =>
  status === 0 ? new SealingFault("unanswered") : new SealingFault("refused", { status, content });
