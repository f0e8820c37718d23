// A chunk that goes into the bucket past the platform, which tells where, and reads and counts it afterwards (ADR 0062). The
// address is signed for these very bytes; the bearer token stays with the platform.
import { hex, sha256 as hashed } from "./encoding.js";

const JSON_TYPE = { "Content-Type": "application/json" };
const IS_THERE = 412; // an earlier attempt has arrived, and its answer was lost

// The platform's answer, as to a chunk that went there; null if the bucket did not take the bytes.
export async function putPiece(api, path, offset, chunk, limitMs) {
  const bytes = await chunk.arrayBuffer(), sha256 = hex(await hashed(bytes));
  const given = await api.post(`${path}/pieces`, { length: chunk.size, offset, sha256 });
  if (given.status !== 201) return given.status === 404 || given.status === 0 ? null : given;
  if (!(await isPut(api, given.content, bytes, limitMs))) return null;
  const told = JSON.stringify({ length: chunk.size, sha256 });
  return api.call("POST", `${path}/pieces/${offset}`, told, JSON_TYPE, limitMs);
}

async function isPut(api, { url, headers }, body, limitMs) {
  const signal = AbortSignal.any([api.stop, AbortSignal.timeout(limitMs)]);
  try {
    const answer = await fetch(url, { method: "PUT", body, headers, signal, credentials: "omit" });
    return answer.ok || answer.status === IS_THERE;
  } catch {
    api.proceed();
    return false;
  }
}
