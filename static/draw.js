// Recomputes a draw of experts on this device: commitments, seed, tickets, order, every step of the walk, the result and
// the opened leaves (ED1 D3, D6, D8 to D10), from the exact documents that stand in the page and in the bundle. It asks nobody: no request, no library, only SHA-256 of the browser.
"use strict";

const draws = (() => {
  const encoder = new TextEncoder();
  const ZERO = new Uint8Array(1);
  const BATCH = 4096; // hashes asked for at once: enough to be fast, few enough not to stop the page

  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

  function u64(value) {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigUint64(0, BigInt(value));
    return out;
  }

  function joined(parts) {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));
  const tupleHash = (label, ...parts) =>
    sha256(encoder.encode(label), ZERO, ...parts.flatMap((part) => [u64(part.length), part]));

  // The indices of a stratum in calling order: ascending tickets as hex, which sorts like the numbers.
  async function order(seed, stratum) {
    const prefix = joined([encoder.encode("mingbiao/ed1/ticket"), ZERO, seed, encoder.encode(stratum.id), ZERO]);
    const tickets = [];
    for (let from = stratum.a; from < stratum.b; from += BATCH) {
      const count = Math.min(BATCH, stratum.b - from);
      const found = Array.from({ length: count }, async (_unused, offset) => {
        const index = from + offset;
        return [hex(await sha256(prefix, u64(index))), index];
      });
      tickets.push(...(await Promise.all(found)));
    }
    return tickets.sort(([left], [right]) => (left < right ? -1 : 1)).map(([, index]) => index);
  }

  const at = (code, place, stratum = null) => ({ code, place: String(place), stratum });

  // Seed of an attempt from its documents, and what of them does not hold.
  async function seedOf({ spec, final, revealed }) {
    const specHash = await sha256(encoder.encode(spec));
    const told = JSON.parse(final);
    const faults = [];
    if (told.spec_sha256 !== hex(specHash)) faults.push(at("spec", told.spec_sha256));
    if (JSON.parse(spec).beacon !== null) faults.push(at("beacon", JSON.parse(spec).beacon.name)); // none is named yet
    const rs = [];
    for (const { commit, party } of told.commits) {
      const r = bytes(revealed[party] ?? "");
      const found = await tupleHash("mingbiao/ed1/contribution", specHash, encoder.encode(party), r);
      if (hex(found) !== commit) faults.push(at("commit", party));
      rs.push(r);
    }
    const seed = await tupleHash("mingbiao/ed1/seed", encoder.encode(final), ...rs);
    return { seed, specHash: hex(specHash), faults };
  }

  // The walk replayed (D10). A wrong step is named and then taken as told, so that it is not named again and again.
  class Walk {
    constructor(spec, orders) {
      this.callMs = spec.call_ms;
      this.faults = [];
      this.fronts = spec.strata.map((stratum, n) => ({
        id: stratum.id,
        need: stratum.need,
        order: orders[n],
        position: 0,
        pending: new Map(), // index -> instant of the call, ms
        selected: new Set(),
      }));
    }

    isOpen(front) {
      return front.pending.size + front.selected.size < front.need && front.position < front.order.length;
    }

    wrong(code, step) {
      this.faults.push(at(code, step.index, step.stratum));
    }

    take(step) {
      const front = this.fronts.find((each) => each.id === step.stratum);
      if (!front) this.faults.push(at("order", `${step.stratum} ${step.index}`));
      else if (["CALLED", "EXCLUDED", "LIMIT"].includes(step.state)) this.step(front, step);
      else if (step.state === "REPLACED") {
        if (!front.selected.delete(step.index)) this.wrong("seat", step);
      } else this.answer(front, step);
    }

    step(front, step) {
      const wanted = this.fronts.find((each) => this.isOpen(each));
      if (wanted !== front || front.order[front.position] !== step.index) this.wrong("order", step);
      front.position += 1;
      if (step.state === "CALLED") front.pending.set(step.index, step.at);
    }

    answer(front, step) {
      const calledAt = front.pending.get(step.index);
      if (!front.pending.delete(step.index)) this.wrong("answer", step);
      if (step.state === "SELECTED") front.selected.add(step.index);
      if (calledAt === undefined) return;
      const waited = step.at - calledAt;
      if (step.state === "UNREACHABLE" && waited < this.callMs) this.wrong("early", step);
      if (step.state !== "UNREACHABLE" && waited > this.callMs) this.wrong("late", step);
    }

    // What is still to be done when the result is signed, and whether it seats those whom the walk selected.
    finish(selected) {
      for (const front of this.fronts) {
        if (this.isOpen(front) || front.pending.size > 0) this.faults.push(at("open", front.id, front.id));
        const seats = selected.filter((seat) => seat.stratum === front.id).map((seat) => seat.index);
        const found = [...front.selected].sort((left, right) => left - right);
        if (seats.join() !== found.join()) this.faults.push(at("selected", seats.join(" "), front.id));
      }
      for (const { index, stratum } of selected) {
        if (!this.fronts.some((front) => front.id === stratum)) this.faults.push(at("selected", index));
      }
    }
  }

  const node = (left, right) => sha256(Uint8Array.of(1), left, right);

  // The root over leaf data; a lone last node moves up, which is the uneven split of RFC 6962.
  async function treeRoot(leaves) {
    let level = await Promise.all(leaves.map((data) => sha256(ZERO, data)));
    if (level.length === 0) return sha256();
    while (level.length > 1) {
      const above = [];
      for (let i = 0; i + 1 < level.length; i += 2) above.push(await node(level[i], level[i + 1]));
      if (level.length % 2) above.push(level.at(-1));
      level = above;
    }
    return level[0];
  }

  // Whether an opened leaf stands at its index under a root (RFC 9162 §2.1.3.2).
  async function stands({ attrs, index, proof, salt }, size, root) {
    let [fn, sn] = [index, size - 1];
    if (!Number.isInteger(index) || fn < 0 || fn > sn) return false;
    let found = await sha256(ZERO, bytes(salt), encoder.encode(attrs));
    for (const sibling of proof.map(bytes)) {
      if (sn === 0 || sibling.length !== 32) return false;
      if (fn % 2 === 1 || fn === sn) {
        found = await node(sibling, found);
        while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
      } else found = await node(found, sibling);
      [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    }
    return sn === 0 && hex(found) === root;
  }

  // Opened leaves: each under the root of the pool that was frozen before the draw (D3), one for everybody seated.
  async function leafFaults(spec, selected, shown) {
    const faults = [];
    const leaves = shown?.leaves ?? [];
    const salts = new Set();
    for (const leaf of leaves) {
      const stratum = spec.strata.find(({ a, b }) => a <= leaf.index && leaf.index < b)?.id ?? null;
      const own = JSON.parse(leaf.attrs).stratum === stratum && !salts.has(leaf.salt);
      if (!own || !(await stands(leaf, spec.pool_size, spec.pool_root))) faults.push(at("leaf", leaf.index, stratum));
      salts.add(leaf.salt);
    }
    for (const { index, stratum } of selected) {
      if (!leaves.some((leaf) => leaf.index === index)) faults.push(at("leaf", index, stratum));
    }
    return faults;
  }

  // The last result: of this attempt, seed and trail, seating those whom the walk selected, their leaves opened.
  async function resultFaults(attempt, spec, specHash, seed, walk) {
    const result = JSON.parse(attempt.result);
    const faults = [];
    const named = [result.spec_sha256, result.seed, result.draw, result.attempt];
    if (named.join() !== [specHash, seed, spec.draw, spec.attempt].join()) faults.push(at("result", result.seq));
    const root = hex(await treeRoot(attempt.trail.map((step) => bytes(step.h))));
    if (root !== result.trail_root) faults.push(at("trail", root));
    walk.finish(result.selected);
    faults.push(...(await leafFaults(spec, result.selected, attempt.leaves ? JSON.parse(attempt.leaves) : null)));
    return faults;
  }

  // Everything that an attempt's documents decide. A fault has a code, a place and, if it is of one alone, a stratum.
  async function recompute(attempt) {
    const spec = JSON.parse(attempt.spec);
    const { seed, specHash, faults } = await seedOf(attempt);
    if (hex(seed) !== attempt.seed) faults.push(at("seed", attempt.seed));
    const orders = [];
    for (const stratum of spec.strata) orders.push(await order(seed, stratum));
    const walk = new Walk(spec, orders);
    for (const step of attempt.trail) walk.take(step);
    // An attempt that ended without a result was cancelled; its calls have to be in order all the same.
    if (attempt.result) faults.push(...(await resultFaults(attempt, spec, specHash, attempt.seed, walk)));
    faults.push(...walk.faults);
    const concerns = (fault, id) => fault.stratum === null || fault.stratum === id;
    const strata = spec.strata.map(({ id }, n) => ({
      id,
      sequence: orders[n],
      holds: !faults.some((fault) => concerns(fault, id)),
    }));
    return { seed: hex(seed), faults, strata };
  }

  return { recompute };
})();

(async () => {
  const SHOWN = 200; // indices of an order that are written out
  if (!window.crypto || !crypto.subtle) return; // an insecure address; the page then names the command

  const documents = (section) => ({
    spec: section.querySelector("[data-spec]").textContent,
    final: section.querySelector("[data-final]").textContent,
    seed: section.querySelector("[data-seed]").textContent,
    revealed: Object.fromEntries(
      Array.from(section.querySelectorAll("[data-party]"), (row) => [row.dataset.party, row.textContent]),
    ),
    trail: Array.from(section.querySelectorAll("[data-step]"), (row) => {
      const [index, stratum, state] = row.dataset.step.split("|");
      return { index: Number(index), stratum, state, at: Number(row.dataset.at), h: row.dataset.h };
    }),
    result: section.querySelector("[data-result]")?.textContent ?? "",
    leaves: section.querySelector("[data-leaves]")?.textContent ?? "",
  });

  function mark(cell, holds, words) {
    const tag = document.createElement("strong");
    tag.className = holds ? "tag tag-open" : "tag tag-stop";
    tag.textContent = holds ? `✓ ${words.holds}` : `✗ ${words.fails}`;
    cell.replaceChildren(tag);
  }

  // Every fault with its place: which index of which specialty, which contributor, which document.
  function name(section, faults) {
    const words = JSON.parse(document.querySelector("[data-faults]").dataset.faults);
    const list = section.querySelector("[data-found]");
    const told = faults.map(({ code, place, stratum }) => [stratum, place, words[code]].filter(Boolean).join(" · "));
    list.replaceChildren(...told.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    list.hidden = told.length === 0;
  }

  for (const section of document.querySelectorAll("[data-attempt]")) {
    const words = section.dataset;
    let found = null;
    try {
      found = await draws.recompute(documents(section));
    } catch {
      found = null; // a document that cannot be read is as wrong as one that does not hold
    }
    for (const row of section.querySelectorAll("[data-stratum]")) {
      const own = found && found.strata.find((each) => each.id === row.dataset.stratum);
      mark(row.querySelector("[data-verdict]"), Boolean(own && own.holds), words);
      row.dataset.holds = own && own.holds ? "yes" : "no";
      const sequence = own ? own.sequence : [];
      const more = sequence.length > SHOWN ? " …" : "";
      row.querySelector("[data-order]").textContent = sequence.slice(0, SHOWN).join(" ") + more;
    }
    name(section, found ? found.faults : []);
    section.querySelector("[data-computed]").textContent = found ? found.seed : "–";
    section.querySelector("[data-without]").hidden = true;
    section.querySelector("[data-results]").hidden = false;
    section.dataset.done = "yes";
  }
})();
