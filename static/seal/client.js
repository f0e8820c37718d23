// The page's side of the sealing worker: ask it for an act, hear of its progress.

export class SealingFailed extends Error {
  constructor({ code, values }) {
    super(code);
    Object.assign(this, { code, values });
  }
}

export class SealingWorker {
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #next = 0;

  // `tell` hears of {done, total} in bytes, and of the name of each part that was sent.
  constructor(tell = () => {}) {
    this.#worker.onmessage = ({ data }) => {
      if (data.id === undefined) return tell(data);
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      return data.fault ? reject(new SealingFailed(data.fault)) : resolve(data.done);
    };
    this.#worker.onerror = () => {
      for (const { reject } of this.#waiting.values()) reject(new SealingFailed({ code: "worker", values: {} }));
      this.#waiting.clear();
    };
  }
  // seal, look, keep, confirm or send: what each takes and answers stands at Sealing in sealing.js.
  ask(act, given = {}) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, act, ...given });
    });
  }
  end() {
    this.#worker.terminate();
  }
}
