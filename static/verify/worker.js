// A bundle is checked beside the page, so that the page answers while it takes long. Nothing is asked of any server.
import { verifyFiles } from "./verification.js";

const TOLD_EVERY_MS = 100;
let told = 0;

// The bar moves ten times a second, whatever the speed of the work.
function tick(label, done, total) {
  const now = performance.now();
  if (now - told < TOLD_EVERY_MS) return;
  told = now;
  postMessage({ label, done, total });
}

// Ed25519 under every checkpoint: without it nothing can be said.
async function isSupported() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1, 0, 1), { name: "Ed25519" }, false, ["verify"]);
    return typeof DecompressionStream === "function" && typeof Map.groupBy === "function";
  } catch (error) {
    return error.name === "DataError"; // known, but no such point
  }
}

addEventListener("message", async ({ data: { bundle, trust, against } }) => {
  try {
    if (await isSupported()) postMessage({ report: await verifyFiles(bundle, trust, against, tick) });
    else postMessage({ unsupported: true });
  } catch (error) {
    postMessage({ broken: `${error.name}: ${error.message}` });
  }
});
postMessage({ ready: true });
