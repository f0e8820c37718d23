// Pages that follow by themselves: server-sent events, polling where no place is free, and countdowns set by the server.
// Without this script every page works: it is loaded again by hand or every 20 seconds.
"use strict";

(() => {
  const region = document.querySelector("[data-live]");
  if (!region) return;
  const line = document.querySelector("[data-live-line]");
  const say = document.querySelector("[data-live-say]");
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const POLL_MS = 5000;
  const SPREAD_MS = 1500; // a crowd that hears of a change at once does not ask at once
  let offset = Number(region.dataset.now) - Date.now();
  let tag = null;
  let asked = null;
  let polling = null;
  let told = spoken();

  const clock = () => Date.now() + offset;

  // A round trip tells the time to half its length; a page that was hidden for hours is set right at once.
  function setClock(ms) {
    if (Number.isFinite(ms) && ms > 0) offset = ms - Date.now();
  }

  function show(state) {
    if (!line) return;
    line.dataset.state = state;
    const text = { live: line.dataset.textLive, poll: line.dataset.textPoll, lost: line.dataset.textLost }[state];
    line.querySelector("[data-live-text]").textContent = text;
  }

  function spoken() {
    const element = region.querySelector("[data-say]");
    return element ? element.textContent.replace(/\s+/g, " ").trim() : "";
  }

  function announce(text) {
    if (say) say.textContent = text;
  }

  // How to find again what has the focus: by its id, a link by where it leads, a table that scrolls by its caption.
  function sameAs(element) {
    if (!element || !region.contains(element)) return null;
    const name = ["id", "href", "aria-labelledby"].find((each) => element.hasAttribute(each));
    return name ? `[${name}="${CSS.escape(element.getAttribute(name))}"]` : null;
  }

  // Only parts that differ are replaced, so that focus and reading position stay where they are.
  function replace(html) {
    const fresh = document.createElement("div");
    fresh.innerHTML = html;
    const names = [...fresh.querySelectorAll(":scope > [data-part]")].map((part) => part.dataset.part);
    const old = [...region.querySelectorAll(":scope > [data-part]")].map((part) => part.dataset.part);
    const again = sameAs(document.activeElement);
    if (names.join() !== old.join()) {
      region.replaceChildren(...fresh.childNodes);
    } else {
      for (const part of names) {
        const before = region.querySelector(`:scope > [data-part="${part}"]`);
        const after = fresh.querySelector(`:scope > [data-part="${part}"]`);
        if (before.outerHTML !== after.outerHTML) before.replaceWith(after);
      }
    }
    if (again && document.activeElement === document.body) region.querySelector(again)?.focus({ preventScroll: true });
    count();
    const now = spoken();
    if (now !== told) announce(now);
    told = now;
  }

  // The filters of the page go with every question.
  function address(base) {
    const url = new URL(base, location.href);
    for (const [name, value] of new URLSearchParams(location.search)) url.searchParams.set(name, value);
    return url;
  }

  async function ask() {
    asked = null;
    const headers = { Accept: "application/json", "Accept-Language": language };
    if (tag) headers["If-None-Match"] = tag;
    const sent = Date.now();
    try {
      const answer = await fetch(address(region.dataset.live), { headers, cache: "no-store" });
      const half = (Date.now() - sent) / 2;
      setClock(Number(answer.headers.get("X-Server-Time")) + half);
      if (polling) show("poll");
      if (answer.status === 304) return;
      if (!answer.ok) throw new Error(String(answer.status));
      tag = answer.headers.get("ETag");
      const state = await answer.json();
      replace(state.html);
      if (state.over) stop();
    } catch {
      show("lost");
    }
  }

  function askSoon() {
    if (asked === null) asked = setTimeout(ask, Math.random() * SPREAD_MS);
  }

  function poll() {
    if (polling) return;
    show("poll");
    polling = setInterval(ask, POLL_MS + Math.random() * SPREAD_MS);
    ask();
  }

  let source = null;
  function follow() {
    source = new EventSource(address(region.dataset.events));
    source.onopen = () => show("live");
    source.addEventListener("record", askSoon);
    source.addEventListener("state", (event) => {
      if (JSON.parse(event.data).version !== region.dataset.version || tag) askSoon();
    });
    source.addEventListener("clock", (event) => setClock(JSON.parse(event.data).time));
    source.onerror = () => {
      // A lost connection is taken up again by the browser, from the last message on; a refusal is not: then we poll.
      if (source.readyState === EventSource.CLOSED) poll();
      else show("lost");
    };
  }

  function stop() {
    if (source) source.close();
    if (polling) clearInterval(polling);
    polling = null;
    line?.remove();
  }

  // Countdowns: the end stands in the page, the time comes from the server. Heard at 60, 15, 5 and 1 minutes only.
  const HEARD = [60, 15, 5, 1];
  let nearest = null;
  function words(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
    const names = language === "zh" ? ["天", "小时", "分", "秒"] : ["d", "h", "min", "s"];
    const first = Math.max(0, parts.findIndex((part) => part > 0));
    const shown = parts.every((part) => part === 0) ? [[0, names[3]]] : parts.slice(first, first + 2).map((part, n) => [part, names[first + n]]);
    const text = shown.map(([part, name]) => `${part} ${name}`).join(" ");
    return language === "zh" ? `还剩 ${text}` : `${text} left`;
  }
  function count() {
    let first = null;
    for (const element of region.querySelectorAll("[data-until]")) {
      const left = Number(element.dataset.until) - clock();
      element.textContent = words(left);
      if (left > 0 && (first === null || left < first)) first = left;
      if (left <= 0 && !element.dataset.over) {
        element.dataset.over = "yes";
        askSoon();
      }
    }
    for (const minutes of HEARD) {
      if (first !== null && nearest !== null && first <= minutes * 60000 && nearest > minutes * 60000) announce(words(first));
    }
    nearest = first;
  }

  count();
  setInterval(count, 1000);
  if ("EventSource" in window) follow();
  else poll();
})();
