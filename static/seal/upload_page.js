// The steps of the sealing page after the package is safe: the sealed files go up early and in pieces, the small envelope
// last. Bars show what the platform has confirmed; after a cut, a reload or on another machine it goes on from there.
import { element, fault, lasting, main, open, part, percent, reason, received, saveLink, say, when, word } from "./told.js";

const STEPS = ["resuming", "trusting", "content", "keeping", "sending", "submitting", "withdrawing"];
const ALL = "all"; // no part is named so
const { token } = main.dataset, seq = Number(main.dataset.seq), state = { bars: new Map(), waiting: false, worker: null };

// ---- what arrives

function rowOf(name, told, size) {
  const row = element("li", ""), id = `seal-part-${name}`, label = element("label", told);
  const bar = element("progress", "", "wide"), text = element("span", "", "meta");
  [label.htmlFor, bar.id, bar.max] = [id, id, size];
  row.append(label, " ", bar, " ", text);
  return { row, bar, text, size, confirmed: 0 };
}
function draw(parts) {
  const sum = parts.reduce((total, { size }) => total + size, 0);
  const rows = parts.map(({ name, size }) => [name, rowOf(name, word("part_bar", { name }), size)]);
  state.bars = new Map([...rows, [ALL, rowOf(ALL, word("all_parts"), sum)]]);
  part("bars").replaceChildren(...[...state.bars.values()].map(({ row }) => row));
  for (const name of state.bars.keys()) show(name, 0, null);
}
// Bytes, and once they are known rate and time left: of the part, and of all at the rate of the one on its way.
function show(name, confirmed, rate) {
  const shown = state.bars.get(name);
  Object.assign(shown, { confirmed });
  shown.bar.value = confirmed;
  const done = word("bytes_of", { done: confirmed, size: shown.size, percent: percent(confirmed, shown.size) });
  const isMoving = rate !== null && confirmed < shown.size;
  const left = isMoving ? word("rate_left", { rate: (rate / 1e6).toFixed(2), left: lasting((shown.size - confirmed) / rate) }) : "";
  shown.text.textContent = `${done} ${left}`;
}
function showAll(rate) {
  show(ALL, [...state.bars].reduce((sum, [name, { confirmed }]) => sum + (name === ALL ? 0 : confirmed), 0), rate);
}
export function uploaded({ name, confirmed, size, rate = null, again }) {
  show(name, confirmed, rate);
  showAll(rate);
  const isWaiting = again !== undefined;
  if (isWaiting) say("sent", "notice", word("again", { percent: percent(confirmed, size), seconds: Math.ceil(again / 1000) }));
  else if (state.waiting) say("sent", "notice", word("sending"));
  state.waiting = isWaiting;
}

// ---- a version that lies here, or whose package the bidder has

async function resume() {
  const [file] = part("old").files, files = [...part("brought").files];
  if (file === undefined) throw fault("choose_package");
  const place = { bid: main.dataset.bid, seq };
  await offer(await state.worker.ask("resume", { file, passphrase: part("oldphrase").value, files, ...place }));
}

// Tell what the platform has of it and what lies here, and go on if nothing is missing.
async function offer(version) {
  ready(version);
  const stored = await state.worker.ask("stored", { token }), missing = stored.filter(({ complete, isHere }) => !complete && !isHere);
  for (const { name, confirmed } of stored) show(name, confirmed, null);
  showAll(null);
  const rows = stored.map(({ name, confirmed, size, complete, isHere }) =>
    word(complete ? "part_stored" : isHere ? "part_here" : "part_missing", { name, percent: percent(confirmed, size) }));
  say("found", missing.length ? "stop" : "done", word("found", { seq: String(version.seq) }), ...rows);
  if (missing.length) return part("found").focus();
  open("sending");
  if (stored.every(({ complete }) => complete)) whole();
}

// ---- sending

// A version that may be sent now: {bid, seq, parts: [{name, size, file}]}.
export function ready({ bid, parts }) {
  draw(parts);
  part("send").hidden = false;
  const here = parts.filter(({ file }) => file !== null), name = (each) => `${bid}-${seq}-${each.name}.age`;
  part("carry").replaceChildren(...here.map((each) => {
    const row = element("li", "");
    row.append(saveLink(word("save_sealed", { name: name(each), size: each.size }), name(each), each.file));
    return row;
  }));
}

async function send() {
  part("pause").hidden = false;
  part("submitting").hidden = true;
  say("sent", "notice", word("sending"));
  try {
    await state.worker.ask("send", { token });
  } catch (error) {
    if (error.code !== "paused") throw error;
    say("sent", "notice", reason(error));
    return part("sent").focus();
  } finally {
    part("pause").hidden = true;
    part("send").textContent = word("go_on");
  }
  whole();
}
function whole() {
  part("send").hidden = true;
  say("sent", "done", word("uploaded"));
  open("submitting");
}

export function asking() {
  say("committed", "notice", word("asking"));
}
async function commit() {
  say("committed", "notice", word("committing"));
  finish("committed", await state.worker.ask("commit", { token }));
}

// What was handed in is received: this page knows the version before it, and there is nothing more to do on it.
export function finish(box, answer) {
  received(box, answer);
  for (const name of STEPS) part(name).hidden = !part(name).contains(part(box));
  part("after").hidden = false;
  part(box).focus();
}

// Also finds what an earlier page of this browser has left, ready to be sent.
export async function startUpload(worker, bid) {
  Object.assign(state, { worker });
  when("resume", "found", resume);
  when("send", "sent", send);
  when("commit", "committed", commit);
  part("pause").addEventListener("click", () => worker.ask("pause"));
  if (bid === "") return;
  part("resuming").hidden = false;
  part("withdrawing").hidden = main.dataset.standing === "";
  const left = await worker.ask("find", { place: { bid, seq } });
  if (left !== null) await offer(left).catch((error) => say("found", "stop", reason(error)));
}
