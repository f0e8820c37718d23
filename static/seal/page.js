// The sealing page: what its bidder sees and does, step by step. Sealing itself is the worker's; nothing is sent before the
// last steps, which the worker keeps shut until then. The words of both languages stand in the page.
import { checkPackage } from "../reopen/package.js";
import { SealingWorker } from "./client.js";
import { doubtsOf } from "./filetypes.js";
import { keyOf } from "./keys.js";
import { element, fault, main, open, part, reason, saveLink, say, when, word } from "./told.js";
import { asking, finish, ready, startUpload, uploaded } from "./upload_page.js";

const MOST_JSON = 2 ** 20;
const { tender, lot, stage, bidder, account, active, token, supersedes, seq } = main.dataset;
const state = { start: null, checked: null, key: null };
const worker = new SealingWorker(progress);

function progress({ progress: bytes, upload, asking: isAsking }) {
  if (bytes) part("bar").value = bytes.total === 0 ? 1 : bytes.done / bytes.total;
  if (upload) uploaded(upload);
  if (isAsking) asking();
}

async function call(path, body) {
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/json", "Content-Type": "application/json" };
  const asked = { method: "POST", headers, credentials: "omit", body: JSON.stringify(body) };
  const answer = await fetch(path, asked).catch(() => null), content = (await answer?.json().catch(() => null)) ?? {};
  if (!answer?.ok) throw answer ? fault("refused", { content }) : fault("unanswered");
  return content;
}

// ---- 1. whom this bid trusts

async function check() {
  const [file] = part("trust").files;
  if (file === undefined && !part("without").checked) throw fault("choose_trust");
  await learn(file === undefined ? null : new Uint8Array(await file.arrayBuffer()));
  const { policy, byRule } = state.checked, { k, custodians } = policy;
  const who = word(policy.bidder_factor ? "with_you" : "without_you", { k, n: custodians.length });
  say("checked", "done", word(file === undefined ? "trusted_by_hand" : "trusted"), who, ...(byRule ? [word("by_rule")] : []));
  part("rehearsing").hidden = false;
  open("content");
}

// The bid id and the policy of the lot, by a trust file or by itself.
async function learn(trust) {
  state.start ??= await call(`/api/v1/procedures/${encodeURIComponent(tender)}/lots/${encodeURIComponent(lot)}/bids`, { stage });
  try {
    state.checked = await checkPackage(state.start, { tender, lot, stage }, trust);
  } catch (error) {
    throw fault("package_refused", { code: error.code ?? error.name });
  }
}

// ---- 2. and 3. what is sealed

// The files, and what is doubtful about each before it is sealed: nobody can look inside afterwards.
async function listed() {
  const rows = [...part("files").files].map(async (file) => {
    const made = element("li", `${nameOf(file)} · ${word("bytes", { count: file.size })}`);
    for (const doubt of await doubtsOf(file)) made.append(" ", element("strong", word(doubt)));
    return made;
  });
  part("list").replaceChildren(...(await Promise.all(rows)));
}
const nameOf = (file) => file.webkitRelativePath || file.name;

async function price() {
  if (!state.checked.policy.parts.includes("price")) return null;
  const [file] = part("price").files;
  try {
    if (file.size > MOST_JSON) throw new RangeError("too large");
    const { currency, items = [], terms, total } = JSON.parse(await file.text());
    if (items.map(({ code }) => code).join() !== main.dataset.items) throw new RangeError("of another lot");
    // The form writes null for what was left empty; a price without terms has none.
    return terms === undefined ? { currency, items, total } : { currency, items, terms, total };
  } catch {
    throw fault("price_file");
  }
}

const contextOf = () => ({ bid: state.start.bid, bidder, lot, seq: Number(seq), stage, tender });

async function seal() {
  say("sealed", "notice", word("sealing"));
  part("running").hidden = false;
  for (const step of ["keeping", "sending", "submitting"]) part(step).hidden = true;
  const context = contextOf();
  try {
    const files = [...part("files").files].map((file) => ({ path: nameOf(file), file }));
    const shown = await worker.ask("seal", {
      context, policy: state.checked.data, key: state.key, created: Date.now(), supersedes: supersedes || null,
      price: await price(), files,
    });
    say("sealed", "notice", word("looking"));
    await worker.ask("look");
    show(shown);
  } catch (error) {
    if (error.code !== "self_open") throw error;
    say("sealed", "stop", reason(error));
    part("sealed").append(diagnostic(context, error));
    part("sealed").focus();
  } finally {
    part("running").hidden = true;
  }
}

// A link to what was found; no secret is in it (S6.1).
function diagnostic(context, { values: { step, code, values } }) {
  const facts = { ...context, step, code, values, browser: navigator.userAgent };
  const blob = new Blob([JSON.stringify(facts, null, 1)], { type: "application/json" });
  return saveLink(word("diagnostic"), `${context.bid}-${context.seq}.diagnostic.json`, blob);
}

function show({ fingerprint, parts, files }) {
  const sizes = parts.map(({ name, size }) => word("part_size", { name, count: size }));
  say("sealed", "done", word("opened_again"), word("fingerprint", { fingerprint }), ...sizes);
  const rows = files.map(({ path, sha256 }) => {
    const made = element("li", `${path} `);
    made.append(element("code", sha256, "digest"));
    return made;
  });
  part("hashes").replaceChildren(...rows);
  open("keeping");
}

// ---- 4. the opening package

async function keep() {
  const [first, second] = ["passphrase", "again"].map((name) => part(name).value);
  if (first.length < 12) throw fault("passphrase_short");
  if (first !== second) throw fault("passphrase_differs");
  say("kept", "notice", word("locking"));
  const { name, data } = await worker.ask("keep", { passphrase: first });
  const link = saveLink("", name, new Blob([data], { type: "application/octet-stream" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say("kept", "notice", word("choose_saved", { name }));
  part("reopen").hidden = false;
  part("saved").focus();
}

async function confirm() {
  const [file] = part("saved").files;
  if (file === undefined) throw fault("choose_package");
  part("sending").hidden = part("submitting").hidden = true;
  await worker.ask("confirm", { file, passphrase: part("passphrase").value });
  say("kept", "done", word("package_good", { name: file.name }));
  ready(await worker.ask("outgoing"));
  open("sending");
}

// ---- beside these steps: rehearse, withdraw

// What the worker needs for a smaller document of this bid.
function given(context) {
  return { token, context, policy: state.checked.data, key: state.key, created: Date.now() };
}

async function rehearse() {
  say("rehearsed", "notice", word("rehearsing"));
  await worker.ask("rehearse", given(contextOf()));
  say("rehearsed", "done", word("rehearsed"));
}

async function withdraw() {
  if (!part("sure").checked) throw fault("withdraw_sure");
  if (state.checked === null) await learn(null); // a withdrawal holds no secret that a wrong policy could take
  say("withdrawn", "notice", word("withdrawing"));
  const answer = await worker.ask("withdraw", { ...given(contextOf()), supersedes });
  finish("withdrawn", answer);
}

async function start() {
  state.key = await keyOf(account, "bidder", active);
  if (state.key === null) return say("begin", "stop", word("no_key"));
  say("begin", "done", word("key", { kid: state.key.kid.slice(0, 12) }));
  when("check", "checked", check);
  when("rehearse", "rehearsed", rehearse);
  when("seal", "sealed", seal);
  when("keep", "kept", keep);
  when("confirm", "kept", confirm);
  when("withdraw", "withdrawn", withdraw);
  part("files").addEventListener("change", listed);
  part("trusting").hidden = false;
  await startUpload(worker, main.dataset.bid);
}

start().catch(() => say("begin", "stop", word("unsupported")));
