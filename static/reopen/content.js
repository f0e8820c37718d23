// What came out of the parts against what the bidder put in (SB1 S5, S6.1).
import { concat, hex, hexDigest, need, tupleHash, encode, unhex } from "../verify/bytes.js";
import { admitObject } from "../verify/canonical.js";
import { DOCUMENT_RULES } from "../verify/doctypes.js";
import { filesOf } from "./archive.js";
import { Sha256 } from "./sha256.js";

const SUBJECT = ["bid", "bidder", "lot", "stage", "tender"];

function admitted(data, typ, envelope) {
  const value = admitObject(data);
  DOCUMENT_RULES[typ](value, typ);
  for (const name of SUBJECT) need(value[name] === envelope[name], "content_subject", { name });
  return value;
}

export async function lookAtPrice(chunks, { envelope, policy, expected }) {
  const pieces = [];
  for await (const chunk of chunks) pieces.push(chunk);
  const plain = concat(...pieces);
  need(plain.length === policy.price_bytes && (await hexDigest(plain)) === expected.price, "content_price");
  let end = plain.length;
  while (end > 0 && plain[end - 1] === 0x20) end -= 1;
  admitted(plain.subarray(0, end), "sb1.price", envelope);
}

async function contentHash(content) {
  const state = new Sha256();
  for await (const piece of content) state.update(piece);
  return state.digest();
}

// `expected.files`: {path, sha256, size} as they were on the bidder's disk, in the order of the archive.
export async function lookAtMain(chunks, { envelope, expected }) {
  const files = filesOf(chunks), { value: first } = await files.next(), pieces = [];
  need(first?.path === "manifest.json", "content_manifest");
  for await (const piece of first.content) pieces.push(piece);
  const data = concat(...pieces), manifest = admitted(data, "sb1.manifest", envelope);
  need((await hexDigest(data)) === expected.manifest && manifest.files.length === expected.files.length, "content_manifest");
  let at = 0;
  for await (const { path, size, content } of files) {
    const sha256 = await contentHash(content), row = manifest.files[at], wanted = expected.files[at];
    const told = [path, hex(sha256), size];
    need(row !== undefined && row.path === path && row.size === size, "content_file", { path });
    need([wanted.path, wanted.sha256, wanted.size].every((value, place) => value === told[place]), "content_file", { path });
    const digest = hex(await tupleHash("mingbiao/sb1/file", unhex(row.salt), encode(path), sha256));
    need(digest === row.digest, "content_file", { path });
    at += 1;
  }
  need(at === manifest.files.length, "content_manifest");
}
