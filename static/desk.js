// The bidder's desk: a countdown that keeps to the server's time, buttons that copy a command, a practice tender that goes on.
// Without this script the page tells the same in text: the deadline, and how much time was left when it was made.
"use strict";

(() => {
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const UNITS = { zh: ["天", "小时", "分", "秒"], en: ["days", "hours", "minutes", "seconds"] }[language];
  const ONE = ["day", "hour", "minute", "second"];
  const HEARD = [60, 15, 5, 1]; // minutes before the deadline at which a screen reader is told
  const SYNC_MS = 10000;
  const DIFFERS_MS = 2000;
  const FOLLOW_MS = 3000;
  const FOLLOWED = 400; // rounds, twenty minutes; whoever stays longer loads the page again

  function words(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
    const first = parts.findIndex((part) => part > 0);
    const shown = first < 0 ? [3] : [first, first + 1].filter((place) => place < 4);
    return shown.map((place) => `${parts[place]} ${language === "en" && parts[place] === 1 ? ONE[place] : UNITS[place]}`).join(" ");
  }

  function countdown(box) {
    const close = Number(box.dataset.close);
    const left = box.querySelector("[data-left]");
    const differs = box.querySelector("[data-differs]");
    const say = box.querySelector("[data-say]");
    const clock = box.querySelector("[data-clock]");
    const title = document.title;
    let offset = Number(box.dataset.now) - Date.now();
    let before = null;

    function tick() {
      const now = Date.now() + offset;
      const ms = close - now;
      left.textContent = words(ms);
      document.title = ms > 0 && ms < 3600000 ? `(${words(ms)}) ${title}` : title;
      for (const minutes of HEARD) {
        if (before !== null && ms > 0 && ms <= minutes * 60000 && before > minutes * 60000) {
          say.textContent = language === "zh" ? `距投标截止还有 ${words(ms)}` : `${words(ms)} to the deadline`;
        }
      }
      before = ms;
    }

    // Half of the round trip bounds the error; what the host says of its own clock comes on top.
    async function sync() {
      const sent = Date.now();
      try {
        const answer = await fetch(box.dataset.timeUrl, { cache: "no-store", credentials: "omit" });
        const time = await answer.json();
        if (!answer.ok || !Number.isFinite(time.time)) return;
        const half = (Date.now() - sent) / 2;
        offset = time.time + half - Date.now();
        tell(time, half);
      } catch {
        return; // the page goes on with what it knows; the server decides anyway
      }
      tick();
    }

    function tell(time, half) {
      const error = ((half + (time.uncertainty_ms ?? 0)) / 1000).toFixed(1);
      const shown = new Date(time.time + half).toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" });
      if (time.hold) {
        clock.textContent = language === "zh" ? "几个时钟不一致，正在核对。核对期间可以继续提交，也不会提前开标。" : "Our clocks disagree and are being checked. You can keep submitting, and nothing opens early.";
      } else {
        clock.textContent = language === "zh" ? `服务器时间 ${shown}（北京时间），误差不超过 ${error} 秒。` : `Server time ${shown} (Beijing), accurate to ${error} seconds.`;
      }
      // A demonstration's time is shifted on purpose.
      if (time.demo || Math.abs(offset) < DIFFERS_MS) {
        differs.hidden = true;
        return;
      }
      const by = words(Math.abs(offset));
      const zh = `你的电脑时间比服务器${offset > 0 ? "慢" : "快"} ${by}。截止以服务器时间为准。`;
      const en = `Your computer's clock is ${by} ${offset > 0 ? "behind" : "ahead of"} the server. The server's time decides.`;
      differs.textContent = language === "zh" ? zh : en;
      differs.hidden = false;
    }

    tick();
    setInterval(tick, 1000);
    // The price form speaks to nobody, not even to ask for the time: its countdown keeps to the time of the page.
    if (!document.getElementById("price-form")) {
      sync();
      setInterval(sync, SYNC_MS);
      document.addEventListener("visibilitychange", () => document.hidden || sync());
    }
  }

  function copying(button) {
    if (!navigator.clipboard) return;
    const label = button.firstChild;
    const text = label.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = button.dataset.copied;
      setTimeout(() => (label.textContent = text), 2000);
    });
  }

  // What goes on in a practice tender within minutes: asked for again until it has ended, and replaced where it stands.
  function follow(region) {
    let left = region.dataset.follow === "on" ? FOLLOWED : 0;

    async function look() {
      try {
        const answer = await fetch(location.pathname, { cache: "no-store" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = answer.ok && !answer.redirected ? page.querySelector("[data-follow]") : null;
        if (fresh && fresh.innerHTML !== region.innerHTML && !region.contains(document.activeElement)) {
          region.replaceChildren(...fresh.childNodes);
        }
        if (fresh && fresh.dataset.follow !== "on") left = 0;
      } catch {
        // the next round asks again
      }
      again();
    }

    function again() {
      if (left-- > 0) setTimeout(look, FOLLOW_MS);
    }

    again();
  }

  document.querySelectorAll("[data-follow]").forEach(follow);
  document.querySelectorAll("[data-countdown]").forEach(countdown);
  document.querySelectorAll("[data-copy]").forEach(copying);
})();
