// The self-open beside the sealing worker, in one of its own: {holds: true}, or {fault}.
import { reopen } from "./reopening.js";

addEventListener("message", async ({ data }) => {
  const fault = await reopen(data, (done, total) => postMessage({ progress: { done, total } }));
  postMessage(fault === null ? { holds: true } : { fault });
});
