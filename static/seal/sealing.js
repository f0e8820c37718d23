// One version of a bid, from sealing to sending, in the order that loses nothing (SB1 S4, S6): nothing can be sent before
// other code has opened what was sealed, and before the saved opening package has been opened once. The secrets are drawn
// anew for every version (S21.12) and never leave this worker but for the one that looks again and for the locked package.
import { archive } from "./archive.js";
import { MANIFEST, describe, padPrice, placed } from "./content.js";
import { hex, must, sha256 } from "./encoding.js";
import { buildEnvelope, contextBytes, signed, wireOf } from "./envelope.js";
import { lock, packageBytes, unlock } from "./package.js";
import { encryptPart, identityOf } from "./parts.js";
import { emptyFolder, keepEnvelope, outgoingOf, partOf, partTarget } from "./stored.js";

const SECRET = 32;

const drawn = () => crypto.getRandomValues(new Uint8Array(SECRET));
const hexDigest = async (data) => hex(await sha256(data));

export class Sealing {
  #secrets = null;
  #looked = false;
  #kept = false;

  // `given`: policy (its bytes), context without policy_sha256 and bidder_kid, key {private, spki, kid}, supersedes,
  // created (ms), price (null without that part), files [{path, file}]. `tell` hears of the bytes done and to do.
  async seal(given, tell) {
    must(this.#secrets === null, "sealed_before");
    const policy = JSON.parse(new TextDecoder().decode(given.policy)), { key } = given;
    must((given.price !== null) === policy.parts.includes("price"), "price_wanted");
    must(policy.parts.includes("main") || given.files.length === 0, "files_wanted");
    const context = { ...given.context, policy_sha256: await hexDigest(given.policy), bidder_kid: key.kid };
    const secrets = { seed: drawn(), factor: policy.bidder_factor ? drawn() : new Uint8Array(0) };
    this.folder = await emptyFolder(context);
    const { contents, expected } = await contentsOf(context, policy, given, tell);
    const parts = [];
    for (const [name, chunks] of contents) parts.push({ name, ...(await this.#encrypt(context, secrets, name, chunks)) });
    const { created, supersedes } = given;
    const envelope = await buildEnvelope({ context, policy, ...secrets, parts, created, supersedes });
    Object.assign(this, { context, created, envelope, expected, key, parts, policy: given.policy });
    this.signature = await signed(envelope, key);
    this.#secrets = secrets;
    return this.shown();
  }

  async #encrypt(context, { seed, factor }, name, chunks) {
    const target = await partTarget(this.folder, name);
    try {
      return await encryptPart(await identityOf(seed, factor, contextBytes(context), name), chunks, target);
    } finally {
      target.close();
    }
  }

  // What a person is shown of a sealed version (S6.3); nothing of it is secret.
  async shown() {
    const sha256 = await hexDigest(this.envelope);
    return {
      bid: this.context.bid, seq: this.context.seq, sha256, fingerprint: sha256.slice(0, 20).match(/..../g).join("-"),
      parts: this.parts, files: this.expected.files,
    };
  }

  // The self-open of S6.1 by a worker whose modules are others; it gets the bytes as they will be sent.
  async look(reopen) {
    must(this.#secrets !== null, "not_sealed");
    this.#looked = false;
    const { envelope, signature, policy, expected, key } = this;
    await reopen({ envelope, signature, policy, expected, spki: key.spki, ...this.#secrets, parts: await this.files() });
    this.#looked = true;
  }

  async files() {
    const found = {};
    for (const { name } of this.parts) found[name] = (await partOf(this.folder, name)) ?? undefined;
    return found;
  }

  async #package() {
    const { envelope, signature, created, context: { policy_sha256: policySha256 } } = this;
    return packageBytes({ envelope, signature, policySha256, created, ...this.#secrets });
  }

  // The locked opening package with the name of its file; it counts once it has come back from where it was saved.
  async keep(passphrase) {
    must(this.#looked, "not_looked");
    must(passphrase !== "", "passphrase");
    return { name: `${this.context.bid}-${this.context.seq}.mbkey`, data: await lock(await this.#package(), passphrase) };
  }

  async confirm(file, passphrase) {
    must(this.#looked, "not_looked");
    this.#kept = false;
    const found = await unlock(new Uint8Array(await file.arrayBuffer()), passphrase);
    must((await hexDigest(found)) === (await hexDigest(await this.#package())), "package_other");
    this.#kept = true;
    await keepEnvelope(this.folder, wireOf(this.envelope, this.signature));
  }

  // What is sent, as `stored.js` finds it again after a reload.
  async outgoing() {
    must(this.#looked && this.#kept, "not_ready");
    return outgoingOf(wireOf(this.envelope, this.signature), this.folder);
  }
}

async function contentsOf(context, policy, { price, files }, tell) {
  const contents = [], expected = { files: [], manifest: null, price: null };
  if (policy.parts.includes("main")) {
    const members = placed(files), total = 2 * members.reduce((sum, { file }) => sum + file.size, 0);
    let done = 0;
    const count = (bytes) => tell((done += bytes), total);
    const { manifest, taken } = await describe(context, members, count);
    Object.assign(expected, { files: taken, manifest: await hexDigest(manifest) });
    contents.push(["main", counted(archive([{ path: MANIFEST, file: new Blob([manifest]) }, ...members]), count)]);
  }
  if (price !== null) {
    const padded = padPrice(context, price, policy.price_bytes);
    expected.price = await hexDigest(padded);
    contents.push(["price", [padded]]);
  }
  return { contents, expected };
}

async function* counted(chunks, count) {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}
