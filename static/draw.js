// Recomputes a draw of experts on this device: commitments, seed, tickets and order (ED1 D6, D8, D9), from the exact
// documents that stand in the page and in the bundle. It asks nobody: no request, no library, only SHA-256 of the browser.
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

  // Seed of an attempt from its documents, and what of them does not hold: the names of failed checks.
  async function seedOf({ spec, final, revealed }) {
    const specHash = await sha256(encoder.encode(spec));
    const told = JSON.parse(final);
    const failed = [];
    if (told.spec_sha256 !== hex(specHash)) failed.push("spec");
    if (JSON.parse(spec).beacon !== null) failed.push("beacon"); // this release names none, so it can check none
    const rs = [];
    for (const { commit, party } of told.commits) {
      const r = bytes(revealed[party] ?? "");
      const found = await tupleHash("mingbiao/ed1/contribution", specHash, encoder.encode(party), r);
      if (hex(found) !== commit) failed.push("commit");
      rs.push(r);
    }
    return { seed: await tupleHash("mingbiao/ed1/seed", encoder.encode(final), ...rs), failed };
  }

  // Whether the trail touches the indices of a stratum in this order, and ends with its need met or nobody left.
  function follows(sequence, stratum, trail) {
    const last = new Map();
    for (const step of trail) if (step.stratum === stratum.id) last.set(step.index, step.state);
    const touched = [...last.keys()];
    const selected = [...last.values()].filter((state) => state === "SELECTED").length;
    const inOrder = touched.every((index, place) => index === sequence[place]);
    return inOrder && (selected === stratum.need || touched.length === sequence.length);
  }

  async function recompute(attempt) {
    const { seed, failed } = await seedOf(attempt);
    if (hex(seed) !== attempt.seed) failed.push("seed");
    const strata = [];
    for (const stratum of JSON.parse(attempt.spec).strata) {
      const sequence = await order(seed, stratum);
      const holds = failed.length === 0 && follows(sequence, stratum, attempt.trail);
      strata.push({ id: stratum.id, sequence, holds });
    }
    return { seed: hex(seed), failed, strata };
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
      return { index: Number(index), stratum, state };
    }),
  });

  function mark(cell, holds, words) {
    const tag = document.createElement("strong");
    tag.className = holds ? "tag tag-open" : "tag tag-stop";
    tag.textContent = holds ? `✓ ${words.holds}` : `✗ ${words.fails}`;
    cell.replaceChildren(tag);
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
    section.querySelector("[data-computed]").textContent = found ? found.seed : "–";
    section.querySelector("[data-without]").hidden = true;
    section.querySelector("[data-results]").hidden = false;
    section.dataset.done = "yes";
  }
})();
