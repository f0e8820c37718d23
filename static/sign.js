// Signing with a key of this device: ECDSA P-256 that the browser makes and never gives away (P6.1, P7.2).
// The key lies in IndexedDB as a CryptoKey that cannot be extracted; what leaves the browser are signatures and the
// public key. Without this script the page offers files to sign with a program.
"use strict";

(() => {
  const CURVE = { name: "ECDSA", namedCurve: "P-256" };
  const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };

  // ---- encoding

  function b64u(bytes) {
    let text = "";
    for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }

  function fromB64u(text) {
    const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(plain, (character) => character.charCodeAt(0));
  }

  async function sha256Hex(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // Canonical JSON of P3 for the flat documents made here: sorted members, no blanks.
  function canonical(content) {
    const members = Object.keys(content).sort().map((name) => `${JSON.stringify(name)}:${JSON.stringify(content[name])}`);
    return new TextEncoder().encode(`{${members.join(",")}}`);
  }

  // ---- the store of keys, each with the account and role it was made for

  function store(mode, act) {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open("mingbiao", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const transaction = opening.result.transaction("keys", mode);
        const request = act(transaction.objectStore("keys"));
        transaction.oncomplete = () => { opening.result.close(); resolve(request.result); };
        transaction.onerror = () => reject(transaction.error);
      };
    });
  }

  const keep = (key) => store("readwrite", (keys) => keys.put(key, key.kid));

  // The key of this account and role that the platform lists as active; a key that waits for approval cannot sign yet.
  async function keyOf(account, role, active) {
    const all = await store("readonly", (keys) => keys.getAll()).catch(() => []);
    return all.find((key) => key.account === account && key.role === role && active.includes(key.kid)) || null;
  }

  async function newKey(account, role) {
    const pair = await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
    const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
    return { account, role, private: pair.privateKey, spki: b64u(spki), kid: await sha256Hex(spki) };
  }

  async function signature(key, bytes) {
    const sig = await crypto.subtle.sign(SIGNATURE, key.private, bytes);
    return { alg: "ES256", kid: key.kid, sig: b64u(sig) };
  }

  // ---- pages

  const usable = () => Boolean(window.isSecureContext && window.crypto?.subtle && window.indexedDB);

  async function prepareSigning(region) {
    const { account, role, active } = region.dataset;
    const status = region.querySelector("[data-status]");
    const button = region.querySelector("[data-sign]");
    const key = usable() ? await keyOf(account, role, active) : null;
    if (!key) {
      status.textContent = region.dataset.textNone;
      region.querySelector("[data-other]").open = true;
      return;
    }
    status.textContent = `${region.dataset.textKey}${key.kid.slice(0, 12)}…`;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const form = region.closest("form");
      if (!form.reportValidity()) return;
      button.disabled = true;
      status.textContent = region.dataset.textBusy;
      try {
        const documents = [...region.querySelectorAll("[data-document]")];
        const signatures = [];
        for (const [place, each] of documents.entries()) {
          signatures.push([place, await signature(key, fromB64u(each.dataset.document))]);
        }
        form.elements.signatures.value = JSON.stringify(signatures);
        form.requestSubmit();
      } catch {
        status.textContent = region.dataset.textFailed;
        region.querySelector("[data-other]").open = true;
        button.disabled = false;
      }
    });
  }

  // Enrolment (P6.2): make a key, prove its possession by signing mb.key-enrol with it, keep it, send the document.
  async function prepareEnrolment(region) {
    const status = region.querySelector("[data-status]");
    const button = region.querySelector("[data-enrol-button]");
    if (!usable()) {
      status.textContent = region.dataset.textNone;
      region.querySelector("[data-other]").open = true;
      return;
    }
    button.hidden = false;
    button.addEventListener("click", async () => {
      const form = region.closest("form");
      if (!form.reportValidity()) return;
      button.disabled = true;
      status.textContent = region.dataset.textBusy;
      try {
        const { account, org, challenge, active } = region.dataset;
        const role = form.elements.role.value;
        const known = await keyOf(account, role, active);
        const key = await newKey(account, role);
        const content = { account, alg: "ES256", challenge, created: Date.now(), key: key.spki, org, role, typ: "mb.key-enrol", v: 1 };
        const doc = canonical(content);
        const sigs = [await signature(key, doc)];
        if (known) sigs.push(await signature(known, doc)); // a second signature by an active key needs no desk
        sigs.sort((a, b) => (a.kid < b.kid ? -1 : 1));
        await keep(key);
        form.elements.document.value = JSON.stringify({ doc: b64u(doc), sigs });
        form.requestSubmit();
      } catch {
        status.textContent = region.dataset.textFailed;
        button.disabled = false;
      }
    });
  }

  // Which of the keys on the account page lie in this browser.
  async function markOwn(list) {
    if (!usable()) return;
    const { account } = list.dataset;
    for (const row of list.querySelectorAll("[data-kid]")) {
      const mark = row.querySelector("[data-here]"); // active keys alone have one
      if (mark && (await keyOf(account, row.dataset.role, row.dataset.kid))) mark.hidden = false;
    }
  }

  for (const region of document.querySelectorAll("[data-signing]")) prepareSigning(region);
  for (const region of document.querySelectorAll("[data-enrol]")) prepareEnrolment(region);
  for (const list of document.querySelectorAll("[data-own-keys]")) markOwn(list);
})();
