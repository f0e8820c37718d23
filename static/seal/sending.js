// Parts first, in chunks and early, then the small envelope (SB1 S7.1); and the bidder's smaller documents.
import { mayPass, pause, pauseOf, refused } from "./calls.js";
import { Upload, heard, whereOf } from "./uploading.js";

const ATTEMPTS = 5; // with pauses of 15 s together

// `outgoing`: {bid, parts: [{name, sha256, size, file}]}.
export async function sendParts(api, { bid, parts }, tell) {
  for (const part of parts) await new Upload(api, bid, part, (upload) => tell({ upload })).run();
}

// How much of each part the platform has: {name, size, confirmed, complete, isHere}.
export async function askStored(api, { bid, parts }) {
  const found = [];
  for (const part of parts) {
    const answer = await whereOf(api, bid, part), { offset: confirmed, complete } = answer.content;
    if (answer.status !== 200 && answer.status !== 201) throw refused(answer);
    heard.set(part.sha256, confirmed);
    found.push({ name: part.name, size: part.size, confirmed, complete, isHere: part.file !== null });
  }
  return found;
}

// Hand in a document in its wire form: envelope, withdrawal, factor or rehearsal. Without an answer the same bytes are
// sent again, and the platform returns the same receipt. Returns {status, content}.
export async function handIn(api, bid, action, wire, tell) {
  for (let failures = 1; ; failures++) {
    const answer = await api.post(`/bids/${bid}/${action}`, wire);
    if ([200, 201, 202].includes(answer.status)) return answer;
    if (!mayPass(answer) || failures >= ATTEMPTS) throw refused(answer);
    tell({ asking: true });
    await pause(pauseOf(failures), api.stop);
  }
}
