// A part as an age v1 file to its derived recipient, from a stream to a file of this origin: never whole in memory.
import { partKey } from "./dealing.js";
import { Encrypter, bech32, createSHA256, identityToRecipient } from "./libraries.js";

const WRITTEN = 2 ** 20;

// "AGE-SECRET-KEY-1…" (S4.4). Like the recipient it is a secret until the opening.
export async function identityOf(seed, factor, ctx, part) {
  return bech32.encodeFromBytes("age-secret-key-", await partKey(seed, factor, ctx, part)).toUpperCase();
}

// Encrypt what `chunks` yields into an opened file; SHA-256 (hex) and size of the ciphertext.
export async function encryptPart(identity, chunks, target) {
  const encrypter = new Encrypter(), state = await createSHA256();
  encrypter.addRecipient(await identityToRecipient(identity));
  const output = new Output(target, state.init());
  // Each side waits for the other: a chunk is asked for when the one before has been taken.
  const source = (chunks[Symbol.asyncIterator] ?? chunks[Symbol.iterator]).call(chunks);
  const plain = new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  }, { highWaterMark: 0 });
  const reader = (await encrypter.encrypt(plain)).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) output.put(next.value);
  return output.end();
}

// Small pieces become large ones before they are hashed and written.
class Output {
  constructor(target, state) {
    Object.assign(this, { target, state, held: new Uint8Array(WRITTEN), used: 0, size: 0 });
  }
  put(data) {
    if (this.used + data.length > WRITTEN) this.write();
    this.held.set(data, this.used);
    this.used += data.length;
  }
  write() {
    const data = this.held.subarray(0, this.used);
    this.state.update(data);
    if (this.target.write(data, { at: this.size }) !== data.length) throw new DOMException("disk", "QuotaExceededError");
    this.size += data.length;
    this.used = 0;
  }
  end() {
    this.write();
    this.target.truncate(this.size);
    this.target.flush();
    return { sha256: this.state.digest("hex"), size: this.size };
  }
}
