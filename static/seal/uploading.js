// A part in chunks, from wherever the platform has got to (SB1 S7.1, reliability F23). Nothing is remembered here: the
// part's digest names its upload, so the platform tells where to go on, after a cut, after a reload, on another machine
// with the same sealed file. Progress counts only what the platform has confirmed.
import { mayPass, pause, pauseOf, refused } from "./calls.js";
import { SealingFault, must } from "./encoding.js";
import { putPiece } from "./piece.js";

const CHUNK = 4 * 2 ** 20; // the least that the platform takes, and the most that a cut costs
const ATTEMPTS = 8; // in a row, without a byte confirmed that was not confirmed before
const STORING_BYTES_PER_MS = 8192; // the slowest store that is waited for when it takes the whole part
const LONGEST_ANSWER_MS = 180_000;
const RECENT = 16; // confirmations over which the rate is measured
const CHUNK_TYPE = "application/partial-upload";
const ELSEWHERE = [404, 409]; // to a chunk: swept, or another request has got on with it. Asking again tells where

// Bytes a second of late; what an earlier run has sent does not count.
class Rate {
  #seen = [];
  at(instant, confirmed) {
    this.#seen = [...this.#seen.slice(1 - RECENT), [instant, confirmed]];
    const [[began, first]] = this.#seen, more = confirmed - first;
    return more > 0 && instant > began ? (1000 * more) / (instant - began) : null;
  }
}

// What the platform has confirmed of parts, by their digests, as far as this worker has heard.
export const heard = new Map();

// Where to go on: {offset, upload}, without `upload` when the platform has stored the part.
export const whereOf = (api, bid, { name, sha256, size }) => api.post(`/bids/${bid}/uploads`, { length: size, name, sha256 });

export class Upload {
  #rate = new Rate();
  #failures = 0;
  #highest = -1;
  #isDirect = true; // as long as the bucket takes what is put there

  // `part`: {name, sha256, size, file}. `tell` hears of {name, confirmed, size, rate}, bytes and bytes a second or null, and
  // of {name, confirmed, size, again} when it waits so many ms for the next attempt.
  constructor(api, bid, part, tell) {
    Object.assign(this, { api, bid, part, tell });
  }

  async run() {
    let at = null; // where to go on; null: the platform has to be asked
    while (!at?.complete) {
      const from = at?.offset ?? -1, asked = at === null ? whereOf(this.api, this.bid, this.part) : this.#append(at);
      at = await this.#taken(await asked, from);
    }
  }

  // What the platform says of the upload, or null after a failure that may pass.
  async #taken(answer, from) {
    const { status, content } = answer, isTaken = status === 200 || status === 201;
    if (isTaken) this.#confirm(content);
    if (isTaken && (content.complete || content.offset > from)) return content;
    const isElsewhere = from >= 0 && (ELSEWHERE.includes(status) || content.code === "upload.cut");
    if (!isTaken && !mayPass(answer) && !isElsewhere) throw refused(answer);
    this.#failures += 1;
    const { name, sha256, size } = this.part, known = { name, confirmed: heard.get(sha256) ?? 0, size };
    if (this.#failures >= ATTEMPTS) throw new SealingFault("cut", known);
    if (content.code === "upload.offset") return null;
    const again = pauseOf(this.#failures);
    this.tell({ ...known, again });
    await pause(again, this.api.stop);
    return null;
  }

  #confirm({ offset }) {
    const { name, sha256, size } = this.part;
    must(Number.isInteger(offset) && offset >= 0 && offset <= size, "part_offset", { name });
    heard.set(sha256, offset);
    if (offset > this.#highest) {
      this.#highest = offset;
      this.#failures = 0;
    }
    this.tell({ name, confirmed: offset, size, rate: this.#rate.at(performance.now(), offset) });
  }

  // The next chunk. An empty one makes the platform store a part of which it has every byte.
  async #append({ upload, offset, direct }) {
    const { file, size, name } = this.part;
    must(file !== null, "part_elsewhere", { name });
    const chunk = file.slice(offset, Math.min(offset + CHUNK, size)), isLast = offset + chunk.size === size;
    const limitMs = LONGEST_ANSWER_MS + (isLast ? size / STORING_BYTES_PER_MS : 0);
    const path = `/bids/${this.bid}/uploads/${upload}`;
    if (direct && this.#isDirect && chunk.size > 0) {
      const counted = await putPiece(this.api, path, offset, chunk, limitMs);
      if (counted !== null) return counted;
      this.#isDirect = false; // not reached from here: everything else goes by way of the platform
    }
    const headers = { "Content-Type": CHUNK_TYPE, "Upload-Offset": String(offset) };
    return this.api.call("PATCH", path, chunk, headers, limitMs);
  }
}
