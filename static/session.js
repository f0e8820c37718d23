// A session ends after 30 minutes without a request. Five minutes before, this page says so and offers to go on; what is
// typed stays where it is. Without this script the server ends the session all the same.
"use strict";

(() => {
  const strip = document.querySelector("[data-idle]");
  if (!strip) return;
  const line = strip.querySelector("[data-idle-text]");
  const button = strip.querySelector("button");
  const WARN_MS = 25 * 60_000;
  const END_MS = 30 * 60_000;
  let last = Date.now();

  function show() {
    const idle = Date.now() - last;
    strip.hidden = idle < WARN_MS;
    button.hidden = idle >= END_MS;
    const text = idle >= END_MS ? strip.dataset.textEnded : strip.dataset.textSoon;
    if (!strip.hidden && line.textContent !== text) line.textContent = text;
  }

  button.addEventListener("click", async () => {
    const answer = await fetch(strip.dataset.idle, { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer && answer.ok) last = Date.now();
    else if (answer && answer.status === 401) last = Date.now() - END_MS;
    show();
  });
  document.addEventListener("visibilitychange", show);
  setInterval(show, 15_000);
})();
