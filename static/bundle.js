// A bundle checked on this device by static/verify in a worker: nothing is sent, and the page answers while it takes long.
// Here is what its reader sees; the words of both languages stand in the page under the codes of the findings.

const SHOWN = 20, LONGEST = 400;
const MARKS = { ok: "✓", fail: "✗", not_checked: "?", absent: "–" };
const BOXES = { holds: "done-box", incomplete: "notice-box", fails: "stop-box" };

const form = document.querySelector("[data-bundle-check]");
if (form !== null && window.crypto?.subtle && window.Worker) start(); // otherwise the page names the command

function start() {
  const part = (name) => form.querySelector(`[data-${name}]`), input = (name) => form.querySelector(`[name=${name}]`);
  const [bundle, trust, against, button] = ["bundle", "trust", "against", "check"].map(input);
  const [progress, verdict, result, list, rest, left] = ["progress", "verdict", "result", "list", "rest", "left"].map(part);
  const words = new Map([...part("words").content.children].map((each) => [each.dataset.word, each.textContent]));
  // It begins before a bundle is chosen: whoever then disconnects has everything.
  const worker = new Worker(form.dataset.worker, { type: "module" });

  const word = (code, values = {}) => (words.get(code) ?? code).replace(/\{([a-z0-9]+)\}/g, (_, name) => printable(values[name]));

  function element(name, text, className = "") {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function say(kind, title, ...lines) {
    verdict.className = BOXES[kind];
    verdict.dataset.holds = kind;
    verdict.replaceChildren(element("strong", title), ...lines.map((line) => element("span", line)));
    verdict.hidden = false;
  }

  function run(chosen, keys, kept) {
    if (chosen === undefined || form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    button.disabled = true;
    progress.hidden = false;
    verdict.hidden = result.hidden = true;
    move({ label: "files", done: 0, total: 0 });
    worker.postMessage({ bundle: chosen, trust: keys ?? null, against: kept });
  }

  function move({ label, done, total }) {
    const bar = progress.querySelector("progress");
    progress.querySelector("label").textContent = word(`progress_${label}`, { done, total });
    if (total > 0) bar.value = done / total;
    else bar.removeAttribute("value");
  }

  function done() {
    form.ariaBusy = "false";
    button.disabled = false;
    progress.hidden = true;
  }

  function row({ id, state, done: count, counts, failures, gaps, notes }) {
    const made = document.createElement("li"), found = document.createElement("ul");
    Object.assign(made.dataset, { check: id, state });
    const told = word(`state_${state}`) + (count > 0 && state !== "absent" ? ` (${count})` : "");
    const parts = [[MARKS[state], "mark"], [id, "id"], [word(id), "title"], [told, "state"]];
    made.append(...parts.map(([text, kind]) => element(kind === "id" ? "b" : "span", text, kind)));
    made.firstChild.ariaHidden = "true";
    for (const [name, findings] of [["failures", failures], ["gaps", gaps], ["notes", notes]]) {
      for (const finding of findings.slice(0, SHOWN)) found.append(findingOf(name, finding));
      if (counts[name] > SHOWN) found.append(element("li", word("more", { count: counts[name] - SHOWN })));
    }
    if (found.children.length > 0) made.append(found);
    return made;
  }

  function findingOf(kind, { place, code, values }) {
    const made = element("li", "", kind);
    Object.assign(made.dataset, { place, code });
    made.append(element("code", printable(place)), ` ${word(code, values)}`);
    return made;
  }

  function show(report) {
    const { verdict: kind, checks, trusted, demo, facts, trustSha256 } = report;
    const of = (state) => checks.filter((check) => check.state === state);
    const lines = [], [first] = of("fail"), open = of("not_checked");
    if (first !== undefined) {
      const { place, code, values } = first.failures[0];
      lines.push(`${first.id}, ${printable(place)}: ${word(code, values)}`, word("keep"));
    }
    if (open.length > 0) lines.push(word("open", { count: open.length, ids: open.map(({ id }) => id).join(", ") }));
    if (!trusted) lines.push(word("own_trust"));
    if (demo) lines.push(word("demo"));
    if (trustSha256) lines.push(word("about", { origin: facts.origin, size: facts.size, sha256: trustSha256 }));
    if (facts.later) lines.push(word("later", { origin: facts.later }));
    say(kind, word(`verdict_${kind}`), ...lines);
    list.replaceChildren(...checks.filter(({ state }) => state !== "absent").map(row));
    rest.querySelector("ul").replaceChildren(...of("absent").map(row));
    rest.querySelector("summary").textContent = word("rest", { count: of("absent").length });
    left.hidden = open.length === 0;
    result.hidden = false;
  }

  worker.addEventListener("message", ({ data }) => {
    if (data.ready) form.dataset.ready = "yes";
    else if (data.label) move(data);
    else {
      done();
      if (data.report) show(data.report);
      else say("incomplete", word(data.unsupported ? "unsupported" : "interrupted"));
    }
  });
  worker.addEventListener("error", () => {
    done();
    say("incomplete", word("unsupported"));
  });

  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(bundle.files[0], trust.files[0], [...against.files]);
  });
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    const dropped = [...event.dataTransfer.files];
    const [zips, keys] = [".zip", ".json"].map((end) => dropped.filter(({ name }) => name.endsWith(end)));
    choose(bundle, zips.slice(0, 1));
    choose(trust, keys.slice(0, 1));
    choose(against, dropped.filter((file) => !zips.includes(file) && !keys.includes(file)));
    run(bundle.files[0], trust.files[0], [...against.files]);
  });
}

function choose(target, files) {
  if (files.length === 0) return;
  const box = new DataTransfer();
  files.forEach((file) => box.items.add(file));
  target.files = box.files;
}

// Names and values come from a hostile bundle: what cannot be seen is spelt out.
function printable(value) {
  const text = String(value ?? "–"), short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
}
