// The ciphertexts of a bid in the private file system of this origin, where they outlive the page (ADR 0050). The envelope
// lies beside them once it may be sent: when other code has opened what was sealed, and the saved package has been opened.
import { pieces } from "./archive.js";
import { fromB64u, must, parsed, utf8 } from "./encoding.js";
import { createSHA256 } from "./libraries.js";

const ROOT = "sealed", ENVELOPE = "envelope.json";

const rootOf = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT, { create: true });
const fileOf = async (folder, name) =>
  (await folder?.getFileHandle(name).catch(() => null))?.getFile().catch(() => null) ?? null;
const partFile = (name) => `${name}.age`;

// The folder of a version, or null if this browser has none.
export async function folderOf({ bid, seq }) {
  return (await rootOf()).getDirectoryHandle(`${bid}-${seq}`).catch(() => null);
}

// An empty folder for a new version; older ciphertexts of the same bid make room.
export async function emptyFolder({ bid, seq }) {
  const root = await rootOf(), old = [];
  for await (const name of root.keys()) if (name.startsWith(`${bid}-`)) old.push(name);
  for (const name of old) await root.removeEntry(name, { recursive: true });
  return root.getDirectoryHandle(`${bid}-${seq}`, { create: true });
}

export async function partTarget(folder, name) {
  return (await folder.getFileHandle(partFile(name), { create: true })).createSyncAccessHandle();
}
export const partOf = (folder, name) => fileOf(folder, partFile(name));

// Only from now on is this version found after a reload.
export async function keepEnvelope(folder, wire) {
  const target = await (await folder.getFileHandle(ENVELOPE, { create: true })).createSyncAccessHandle();
  try {
    const data = utf8(JSON.stringify(wire));
    target.truncate(0);
    must(target.write(data, { at: 0 }) === data.length, "disk");
    target.flush();
  } finally {
    target.close();
  }
}

// What may be sent of a version, or null: {bid, seq, parts: [{name, sha256, size, file}], envelope}, as `sending.js` takes it.
export async function findReady(place) {
  const folder = await folderOf(place), kept = await fileOf(folder, ENVELOPE);
  const wire = kept === null ? {} : parsed(await kept.arrayBuffer()); // nothing, if the page died while it was written
  return wire.doc === undefined ? null : outgoingOf(wire, folder);
}

// The parts as they lie in the folder of their version; `file` is null where the browser has lost one.
export function outgoingOf(wire, folder) {
  return withFiles(wire, async ({ name, size }) => {
    const file = await partOf(folder, name);
    return file?.size === size ? file : null;
  });
}

// The same of files that may be any: `folder` may hold another version of that number, `brought` comes from elsewhere.
export async function matchedOf(wire, folder, brought) {
  return withFiles(wire, async ({ name, sha256, size }) => {
    for (const file of [await partOf(folder, name), ...brought]) {
      if (file?.size === size && (await digestOf(file)) === sha256) return file;
    }
    return null;
  });
}

async function withFiles(wire, fileFor) {
  const { bid, seq, parts: rows } = parsed(fromB64u(wire.doc)), parts = [];
  for (const { name, sha256, size } of rows) parts.push({ name, sha256, size, file: await fileFor({ name, sha256, size }) });
  return { bid, seq, parts, envelope: wire };
}
async function digestOf(file) {
  const state = (await createSHA256()).init();
  for await (const piece of pieces(file)) state.update(piece);
  return state.digest("hex");
}
