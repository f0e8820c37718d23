// The worker of the sealing page. It answers {id, done} or {id, fault}, and tells of its progress meanwhile.
import { SealingFault } from "./encoding.js";
import { Sealing } from "./sealing.js";
import { send } from "./sending.js";

const TOLD_EVERY_MS = 100;
let sealing = new Sealing(), told = 0;

function tell(done, total) {
  const now = performance.now();
  if (now - told < TOLD_EVERY_MS) return;
  told = now;
  postMessage({ progress: { done, total } });
}

// A fresh worker, loaded from other modules, opens what was sealed; it has nothing of this one but the message.
function reopen(sealed) {
  const other = new Worker(new URL("../reopen/worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    other.onmessage = ({ data: { holds, fault, progress } }) => {
      if (progress) tell(progress.done, progress.total);
      else if (holds === true) resolve();
      else reject(new SealingFault("self_open", fault));
    };
    other.onerror = () => reject(new SealingFault("self_open", { step: "worker", code: "worker" }));
    other.postMessage(sealed);
  }).finally(() => other.terminate());
}

const ACTS = {
  seal: (given) => {
    sealing = new Sealing(); // a version that failed half way leaves no state
    return sealing.seal(given, tell);
  },
  look: () => sealing.look(reopen),
  keep: ({ passphrase }) => sealing.keep(passphrase),
  confirm: ({ file, passphrase }) => sealing.confirm(file, passphrase),
  send: async ({ token }) => send(await sealing.outgoing(), token, (part) => postMessage({ sent: part })),
};

// No message of an error goes on: what it quotes might be secret.
function faultOf(error) {
  if (error instanceof SealingFault) return { code: error.code, values: error.values };
  if (error?.name === "QuotaExceededError") return { code: "disk", values: {} };
  if (error?.name === "NotReadableError" || error?.name === "NotFoundError") return { code: "file_changed", values: {} };
  return { code: "broken", values: { name: String(error?.name) } };
}

addEventListener("message", async ({ data: { id, act, ...given } }) => {
  try {
    postMessage({ id, done: (await ACTS[act](given)) ?? null });
  } catch (error) {
    postMessage({ id, fault: faultOf(error) });
  }
});
postMessage({ ready: true });
