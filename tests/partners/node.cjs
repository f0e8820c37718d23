// Ask @sigstore/verify and @transmute/rfc9162 about a case: `node node.cjs FOLDER CASE` prints one JSON object.
"use strict";
const { createHash, createPublicKey } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");

const [folder, path] = process.argv.slice(2);
const load = createRequire(join(folder, "package.json"));
const dist = join(folder, "node_modules", "@sigstore", "verify", "dist", "tlog");
const { verifyCheckpoint } = load(join(dist, "checkpoint.js"));
const { verifyMerkleInclusion } = load(join(dist, "merkle.js"));
const { RFC9162 } = load("@transmute/rfc9162");

const found = JSON.parse(readFileSync(path, "utf8"));
const bytes = (text) => Buffer.from(text, "base64");

// The log's key: name+hash+base64(type byte and 32 bytes of Ed25519), as a key object of Node.
const at = found.log.indexOf("+"), next = found.log.indexOf("+", at + 1);
const raw = bytes(found.log.slice(next + 1)).subarray(1);
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
const log = {
  logID: Buffer.from(found.log.slice(at + 1, next), "hex"),
  publicKey,
  baseURL: found.origin,
  validFor: { start: new Date(0), end: new Date(8.64e15) },
};

function asked(question) {
  try { return question() !== false; } catch { return false; }
}

function sigstore(each) {
  const proof = {
    logIndex: String(each.n), treeSize: String(each.size), rootHash: bytes(each.root),
    hashes: each.proof.map(bytes), checkpoint: { envelope: found.note },
  };
  const entry = { canonicalizedBody: bytes(each.entry), inclusionProof: proof, logId: { keyId: log.logID },
    integratedTime: "0" };
  verifyMerkleInclusion(entry, verifyCheckpoint(entry, [log]));
}

const leafHash = (entry) => createHash("sha256").update(Buffer.from([0])).update(entry).digest();

async function transmute(each) {
  const proof = { log_id: "", tree_size: each.size, leaf_index: each.n, inclusion_path: each.proof.map(bytes) };
  try { return await RFC9162.verifyInclusionProof(bytes(each.root), leafHash(bytes(each.entry)), proof); }
  catch { return false; }
}

async function main() {
  const answers = {
    sigstore: found.inclusion.map((each) => asked(() => sigstore(each))),
    transmute: await Promise.all(found.inclusion.map(transmute)),
  };
  process.stdout.write(JSON.stringify(answers));
}

main();
