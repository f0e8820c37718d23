// The sealing page: what its bidder sees and does, step by step. Sealing itself is the worker's; nothing is sent before the
// last step, which the worker keeps shut until then. The words of both languages stand in the page.
import { checkPackage } from "../reopen/package.js";
import { SealingWorker } from "./client.js";
import { keyOf } from "./keys.js";

const MOST_JSON = 2 ** 20;
const main = document.querySelector("[data-sealing]");
const words = new Map([...main.querySelector("[data-words]").content.children].map((each) => [each.dataset.word, each.textContent]));
const part = (name) => main.querySelector(`[data-${name}]`);
const { tender, lot, stage, bidder, account, active, token, supersedes, seq } = main.dataset;
const state = { start: null, checked: null, key: null, saved: null };
const worker = new SealingWorker(progress);

const word = (code, values = {}) => (words.get(code) ?? words.get("broken")).replace(/\{([a-z]+)\}/g, (_, name) => values[name] ?? "–");
const numbers = new Intl.NumberFormat(document.documentElement.lang);

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
function say(name, kind, ...lines) {
  const box = part(name);
  box.className = `${kind}-box`;
  box.replaceChildren(...lines.map((line) => element("p", line)));
  box.hidden = lines.length === 0;
}
// What went wrong, in the words of the page: of a refusal of the platform, its own.
function reason(error) {
  if (error.told) return error.told;
  const { code, values = {} } = error;
  if (code === "self_open") return word("self_open", { step: values.step, code: values.code });
  return word(code, values);
}

// An act of a button: not twice at once, and what fails is said beside it.
function when(button, box, act) {
  part(button).addEventListener("click", async () => {
    if (part(button).ariaDisabled === "true") return;
    part(button).ariaDisabled = "true";
    try {
      await act();
    } catch (error) {
      say(box, "stop", reason(error));
      part(box).focus();
    } finally {
      part(button).ariaDisabled = "false";
    }
  });
}
function open(name) {
  const step = part(name);
  step.hidden = false;
  step.querySelector("h2").focus();
}

function progress({ progress: bytes, sent }) {
  const bar = part("bar");
  if (bytes) bar.value = bytes.total === 0 ? 1 : bytes.done / bytes.total;
  if (sent) say("sent", "notice", word("part_sent", { name: sent }));
}

async function call(path, body) {
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/json", "Content-Type": "application/json" };
  const asked = { method: "POST", headers, credentials: "omit", body: JSON.stringify(body) };
  const answer = await fetch(path, asked).catch(() => null), content = (await answer?.json().catch(() => null)) ?? {};
  if (!answer?.ok) throw refusal(content);
  return content;
}
function refusal(content) {
  const told = content[document.documentElement.lang.startsWith("zh") ? "zh" : "en"];
  return Object.assign(new Error("refused"), { told: told ?? word("unanswered") });
}

// ---- 1. whom this bid trusts

async function check() {
  const [file] = part("trust").files;
  if (file === undefined && !part("without").checked) throw Object.assign(new Error(), { code: "choose_trust" });
  state.start ??= await call(`/api/v1/procedures/${encodeURIComponent(tender)}/lots/${encodeURIComponent(lot)}/bids`, { stage });
  const trust = file === undefined ? null : new Uint8Array(await file.arrayBuffer());
  try {
    state.checked = await checkPackage(state.start, { tender, lot, stage }, trust);
  } catch (error) {
    throw Object.assign(new Error(), { code: "package_refused", values: { code: error.code ?? error.name } });
  }
  const { policy, byRule } = state.checked, { k, custodians } = policy;
  const who = word(policy.bidder_factor ? "with_you" : "without_you", { k, n: custodians.length });
  say("checked", "done", word(file === undefined ? "trusted_by_hand" : "trusted"), who, ...(byRule ? [word("by_rule")] : []));
  open("content");
}

// ---- 2. and 3. what is sealed

function listed() {
  const rows = [...part("files").files].map((file) => {
    const made = element("li", `${file.webkitRelativePath || file.name} · ${word("bytes", { count: numbers.format(file.size) })}`);
    if (file.size === 0) made.append(" ", element("strong", word("empty")));
    return made;
  });
  part("list").replaceChildren(...rows);
}

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
    throw Object.assign(new Error(), { code: "price_file" });
  }
}

async function seal() {
  say("sealed", "notice", word("sealing"));
  part("running").hidden = false;
  part("keeping").hidden = part("sending").hidden = true;
  const context = { bid: state.start.bid, bidder, lot, seq: Number(seq), stage, tender };
  try {
    const files = [...part("files").files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
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
  const link = element("a", word("diagnostic")), facts = { ...context, step, code, values, browser: navigator.userAgent };
  link.href = URL.createObjectURL(new Blob([JSON.stringify(facts, null, 1)], { type: "application/json" }));
  link.download = `${context.bid}-${context.seq}.diagnostic.json`;
  return link;
}

function show({ fingerprint, parts, files }) {
  const sizes = parts.map(({ name, size }) => word("part_size", { name, count: numbers.format(size) }));
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
  if (first.length < 12) throw Object.assign(new Error(), { code: "passphrase_short" });
  if (first !== second) throw Object.assign(new Error(), { code: "passphrase_differs" });
  say("kept", "notice", word("locking"));
  const { name, data } = await worker.ask("keep", { passphrase: first }), link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say("kept", "notice", word("choose_saved", { name }));
  part("reopen").hidden = false;
  part("saved").focus();
}

async function confirm() {
  const [file] = part("saved").files;
  if (file === undefined) throw Object.assign(new Error(), { code: "choose_package" });
  part("sending").hidden = true;
  await worker.ask("confirm", { file, passphrase: part("passphrase").value });
  say("kept", "done", word("package_good", { name: file.name }));
  open("sending");
}

// ---- 5. sending

async function send() {
  say("sent", "notice", word("sending"));
  const { status, content } = await worker.ask("send", { token });
  if (status !== 200 && status !== 201 && status !== 202) throw refusal(content);
  const isLogged = content.state !== "acknowledged";
  say("sent", "done", word(isLogged ? "received" : "acknowledged", { at: new Date(content.received_at).toISOString(), n: content.n }));
  part("after").hidden = false;
  part("sent").focus();
}

async function start() {
  state.key = await keyOf(account, "bidder", active);
  if (state.key === null) return say("begin", "stop", word("no_key"));
  say("begin", "done", word("key", { kid: state.key.kid.slice(0, 12) }));
  when("check", "checked", check);
  when("seal", "sealed", seal);
  when("keep", "kept", keep);
  when("confirm", "kept", confirm);
  when("send", "sent", send);
  part("files").addEventListener("change", listed);
  part("trusting").hidden = false;
}

start().catch(() => say("begin", "stop", word("unsupported")));
