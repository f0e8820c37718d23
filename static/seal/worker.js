// The worker of the sealing pages. It answers {id, done} or {id, fault}, and tells of its progress meanwhile.
import { Api } from "./calls.js";
import { factor, rehearsal, rescue, withdrawal } from "./documents.js";
import { SealingFault, fromB64u, must } from "./encoding.js";
import { readSaved } from "./package.js";
import { Sealing } from "./sealing.js";
import { askStored, handIn, sendParts } from "./sending.js";
import { findReady, folderOf, keepEnvelope, matchedOf } from "./stored.js";

const TOLD_EVERY_MS = 100;
let sealing = new Sealing(), found = null, stopping = new AbortController(), told = 0;

const announce = (message) => postMessage(message);
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

// What is sent: a version that was found again, or the one that was sealed here, if it may be.
const outgoing = async () => found ?? sealing.outgoing();
const shownOf = ({ bid, seq, parts }) => ({ bid, seq, parts: parts.map(({ name, size, file }) => ({ name, size, file })) });

// A version of which the bidder has the package: its envelope, and the ciphertexts that lie here or were brought along.
async function resumed({ file, passphrase, files, bid, seq }) {
  const { wire, ...saved } = await readSaved(file, passphrase);
  must(saved.bid === bid, "package_other");
  must(saved.seq === seq, "version_old", { seq: saved.seq });
  const folder = await folderOf(saved);
  found = await matchedOf(wire, folder, []);
  if (found.parts.every((part) => part.file !== null)) await keepEnvelope(folder, wire);
  else found = await matchedOf(wire, folder, files);
  return shownOf(found);
}

const ACTS = {
  seal: (given) => {
    [sealing, found] = [new Sealing(), null]; // a version that failed half way leaves no state
    return sealing.seal(given, tell);
  },
  look: () => sealing.look(reopen),
  keep: ({ passphrase }) => sealing.keep(passphrase),
  confirm: ({ file, passphrase }) => sealing.confirm(file, passphrase),
  // After a reload: what of this version may be sent, or null. `place`: {bid, seq}.
  find: async ({ place }) => {
    found = await findReady(place);
    return found && shownOf(found);
  },
  resume: resumed,
  outgoing: async () => shownOf(await outgoing()),
  stored: async ({ token }) => askStored(new Api(token), await outgoing()),
  send: async ({ token }) => {
    stopping = new AbortController();
    await sendParts(new Api(token, stopping.signal), await outgoing(), announce);
  },
  pause: () => stopping.abort(),
  commit: async ({ token }) => {
    const { bid, envelope } = await outgoing();
    return handIn(new Api(token), bid, "envelope", envelope, announce);
  },
  rehearse: async ({ token, ...given }) =>
    handIn(new Api(token), given.context.bid, "rehearsal", await rehearsal(given), announce),
  withdraw: async ({ token, ...given }) =>
    handIn(new Api(token), given.context.bid, "withdrawal", await withdrawal(given), announce),
  reveal: async ({ token, ...given }) =>
    handIn(new Api(token), given.standing.bid, "factor", await factor(given), announce),
  written: async (given) => fromB64u((await factor(given)).doc),
  rescue: async ({ token, ...given }) =>
    handIn(new Api(token), given.standing.bid, "rescue", await rescue(given), announce),
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
