// Checks a receipt of the log on this device (AL1 L8.3), against keys that its reader chose. It asks nobody: the files stay
// here, and nothing is used but SHA-256 and Ed25519 of the browser.
"use strict";

const receipts = (() => {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const ZERO = Uint8Array.of(0), ONE = Uint8Array.of(1);
  const ED25519 = 1, COSIGNATURE = 4;
  const FIELDS = ["n", "nonce", "p", "record", "t", "typ", "v"];

  class Fault extends Error {}
  function need(holds, what) {
    if (!holds) throw new Fault(what);
  }

  const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const joined = (parts) => Uint8Array.from(parts.flatMap((part) => Array.from(part)));
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));

  function unbase64(text) {
    let raw = null;
    try { raw = atob(text); } catch { throw new Fault("format"); }
    need(btoa(raw) === text, "format"); // padding, and no bit that is not used
    return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  }
  const unbase64url = (text) =>
    unbase64(text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4));

  function unhex(text, length) {
    need(typeof text === "string" && new RegExp(`^[0-9a-f]{${2 * length}}$`).test(text), "format");
    return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  }

  // The canonical text of a value of the profile (P3): sorted keys, integers, no blanks.
  function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  function readJson(raw) {
    try {
      const text = decoder.decode(raw);
      const value = JSON.parse(text);
      need(canonical(value) === text, "format");
      return value;
    } catch { throw new Fault("format"); }
  }

  function parse(text) {
    const lines = text.split("\n");
    const blank = lines.indexOf("");
    need(lines[0] === "c2sp.org/tlog-proof@v1" && blank > 2 && lines[1].startsWith("extra "), "format");
    const index = /^index (0|[1-9][0-9]{0,15})$/.exec(lines[2]);
    need(index !== null, "format");
    const extra = readJson(unbase64(lines[1].slice(6)));
    const names = Object.keys(extra).filter((name) => name !== "q");
    need(canonical(names) === canonical(FIELDS) && extra.typ === "al1.receipt" && extra.v === 1, "format");
    need(Number.isSafeInteger(extra.t) && extra.n === Number(index[1]), "format");
    const path = lines.slice(3, blank).map(unbase64);
    return { extra, path, note: parseNote(lines.slice(blank + 1).join("\n")) };
  }

  function parseNote(text) {
    const at = text.indexOf("\n\n");
    need(at > 0 && text.endsWith("\n"), "format");
    const body = text.slice(0, at + 1);
    const [origin, size, root, ...rest] = body.split("\n");
    need(rest.length === 1 && /^(0|[1-9][0-9]{0,15})$/.test(size), "format");
    const signatures = text.slice(at + 2, -1).split("\n").map((line) => {
      const match = /^\u2014 (\S+) (\S+)$/.exec(line);
      need(match !== null, "format");
      const raw = unbase64(match[2]);
      need(raw.length > 4, "format");
      return { name: match[1], id: hex(raw.subarray(0, 4)), raw: raw.subarray(4) };
    });
    return { body, origin, size: Number(size), root: unbase64(root), signatures };
  }

  async function parseKey(text) {
    const match = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text);
    need(match !== null, "policy");
    const data = unbase64(match[3]);
    const id = hex((await sha256(encoder.encode(`${match[1]}\n`), data)).subarray(0, 4));
    need(id === match[2], "policy");
    return { name: match[1], id, kind: data[0], key: data.subarray(1) };
  }

  // A C2SP tlog-policy: keys of the log, witnesses, groups, and the one quorum.
  async function parsePolicy(text) {
    const policy = { logs: [], witnesses: new Map(), groups: new Map(), quorum: null };
    for (const line of text.split("\n").map((each) => each.trim()).filter((each) => each && !each.startsWith("#"))) {
      const [word, ...values] = line.split(/[ \t]+/);
      if (word === "log") policy.logs.push(await parseKey(values[0]));
      else if (word === "witness") policy.witnesses.set(values[0], await parseKey(values[1]));
      else if (word === "group") policy.groups.set(values[0], { least: values[1], members: values.slice(2) });
      else if (word === "quorum") policy.quorum = values[0];
      else throw new Fault("policy");
    }
    need(policy.logs.length > 0 && policy.quorum !== null, "policy");
    return policy;
  }

  function isMet(policy, name, signed) {
    if (name === "none") return true;
    const group = policy.groups.get(name);
    if (group === undefined) return signed.has(name);
    const count = group.members.filter((member) => isMet(policy, member, signed)).length;
    const least = { all: group.members.length, any: 1 }[group.least] ?? Number(group.least);
    return count >= least;
  }

  async function verifies({ kind, key }, signature, body) {
    const timed = kind === COSIGNATURE;
    if (signature.length !== (timed ? 72 : 64)) return null;
    const time = timed ? new DataView(signature.buffer, signature.byteOffset).getBigUint64(0) : null;
    const message = encoder.encode(timed ? `cosignature/v1\ntime ${time}\n${body}` : body);
    const own = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    const raw = timed ? signature.subarray(8) : signature;
    return (await crypto.subtle.verify({ name: "Ed25519" }, own, raw, message)) ? { time } : null;
  }

  // Every signature of a key that the policy names must hold; one that does not makes the whole note worthless.
  async function signers(note, policy) {
    const known = [...policy.logs.filter((key) => key.name === note.origin).map((key) => [null, key])];
    known.push(...policy.witnesses);
    const found = { log: false, witnesses: new Map() };
    const seen = new Set();
    for (const { name, id, raw } of note.signatures) {
      const [witness, key] = known.find(([, each]) => each.name === name && each.id === id) ?? [];
      if (key === undefined || ![ED25519, COSIGNATURE].includes(key.kind)) continue;
      const good = seen.has(name + id) ? null : await verifies(key, raw, note.body);
      need(good !== null, "signature");
      seen.add(name + id);
      if (witness === null) found.log = true;
      else found.witnesses.set(witness, Number(good.time));
    }
    return found;
  }

  // RFC 9162 §2.1.3.2. Every hash has 32 bytes, also where the walk would lead to the root without (AL1 L15).
  async function included(leaf, index, size, path, root) {
    need([leaf, root, ...path].every((hash) => hash.length === 32), "format");
    need(index < size, "inclusion");
    let [fn, sn, found] = [BigInt(index), BigInt(size) - 1n, leaf];
    for (const hash of path) {
      need(sn !== 0n, "inclusion");
      if (fn % 2n === 1n || fn === sn) {
        found = await sha256(ONE, hash, found);
        while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
      } else found = await sha256(ONE, found, hash);
      [fn, sn] = [fn >> 1n, sn >> 1n];
    }
    need(sn === 0n && hex(found) === hex(root), "inclusion");
  }

  // What a receipt proves by a policy and an origin; throws a Fault whose message names what does not hold.
  async function check(text, policyText, origin) {
    const { extra, path, note } = parse(text);
    const policy = await parsePolicy(policyText);
    // The trust file also lists the closed logs that this one continues; their receipts stay valid (AL1 L13).
    need(note.origin === origin || policy.logs.some((key) => key.name === note.origin), "origin");
    const record = unbase64url(extra.record);
    const told = readJson(record);
    const h = await sha256(encoder.encode("mingbiao/al1/record"), ZERO, unhex(extra.nonce, 32), record);
    unhex(extra.p, 32);
    const sm3 = extra.q === undefined ? "" : `"q":"${hex(unhex(extra.q, 32))}",`;
    const entry = `{"h":"${hex(h)}","n":${extra.n},"p":"${extra.p}",${sm3}"t":${extra.t},"v":1}`;
    await included(await sha256(ZERO, encoder.encode(entry)), extra.n, note.size, path, note.root);
    const { log, witnesses } = await signers(note, policy);
    need(log, "signature");
    const witnessed = policy.quorum !== "none" && isMet(policy, policy.quorum, witnesses);
    return { record: told, h: hex(h), t: extra.t, size: note.size, witnesses, witnessed };
  }

  return { check, included, Fault, fingerprint: async (data) => hex(await sha256(new Uint8Array(data))) };
})();

(() => {
  const form = document.querySelector("[data-receipt-check]");
  if (form === null || !window.crypto || !crypto.subtle) return; // an insecure address: the page names the command
  const [receipt, trust, own] = ["receipt", "trust", "own"].map((name) => form.querySelector(`[name=${name}]`));
  const verdict = form.querySelector("[data-verdict]"), facts = form.querySelector("[data-facts]");
  const words = form.dataset;
  form.hidden = false;

  const instant = (ms) => new Date(ms).toISOString().replace("T", " ").replace(/\.000Z$|Z$/, " UTC");

  function show(holds, title, lines) {
    verdict.className = holds === true ? "done-box" : holds === null ? "notice-box" : "stop-box";
    verdict.dataset.holds = String(holds);
    verdict.textContent = title;
    facts.replaceChildren(
      ...lines.map(([name, value]) => {
        const row = document.createElement("div");
        const term = document.createElement("dt"), detail = document.createElement("dd");
        term.textContent = name;
        detail.textContent = value;
        row.append(term, detail);
        return row;
      }),
    );
    verdict.hidden = false;
    facts.hidden = lines.length === 0;
  }

  async function keys() {
    if (trust.files.length === 0) return { policy: words.policy, origin: words.origin, chosen: false };
    const told = JSON.parse(await trust.files[0].text());
    return { policy: String(told.log_policy), origin: String(told.origin), chosen: true };
  }

  // The text of a tlog-proof, or of the one that a PDF carries.
  async function proofOf(file) {
    const data = new Uint8Array(await file.arrayBuffer());
    if (!attachments.isPdf(data)) return new TextDecoder().decode(data);
    try { return await attachments.proof(data); } catch { throw new receipts.Fault("pdf"); }
  }

  async function look() {
    if (receipt.files.length === 0) return;
    try {
      const { policy, origin, chosen } = await keys();
      const found = await receipts.check(await proofOf(receipt.files[0]), policy, origin);
      const times = [...found.witnesses].map(([name, time]) => `${name}: ${instant(1000 * time)}`);
      const lines = [
        [words.kind, found.record.kind],
        [words.at, instant(found.record.at)],
        [words.procedure, found.record.procedure ?? "–"],
        [words.body, JSON.stringify(found.record.body)],
        [words.h, found.h],
        [words.witnesses, times.join("; ") || "–"],
      ];
      if (own.files.length > 0) {
        const digest = await receipts.fingerprint(await own.files[0].arrayBuffer());
        const named = Object.values(found.record.body).includes(digest);
        if (!named) return show(false, words.otherFile, lines);
        lines.push([words.file, digest]);
      }
      const title = found.witnessed ? words.witnessed : words.logged;
      show(found.witnessed && chosen ? true : null, chosen ? title : `${title} ${words.platformKeys}`, lines);
    } catch (error) {
      if (error.name === "NotSupportedError") return show(null, words.unsupported, []);
      const what = error instanceof receipts.Fault ? error.message : "format";
      show(false, words[`fault${what[0].toUpperCase()}${what.slice(1)}`], []);
    }
  }

  form.addEventListener("change", look);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) {
      const box = new DataTransfer();
      box.items.add(file);
      const target = /\.(tlog-proof|pdf)$/.test(file.name) ? receipt : file.name.endsWith(".json") ? trust : own;
      target.files = box.files;
    }
    look();
  });
})();
