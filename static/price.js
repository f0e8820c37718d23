// The price form. Everything here happens on this machine: the page may make no request and send no form (its policy
// says so to the browser), and no input is in a form. The file is what "mingbiao bid seal --price-file" reads.
// Arithmetic is in whole numbers of 10^-6; amounts are rounded half up to the smallest unit, as the committee does
// (87-59). tests/vectors/quotes.json holds this script and agents/bid/quoting.py together.
"use strict";

const quotes = (() => {
  const PRICE = /^(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.[0-9]{1,6})?$/;
  const QUANTITY = /^[0-9]{1,12}(?:\.[0-9]{1,6})?$/;
  const SCALE = 6;
  const MOST = BigInt(Number.MAX_SAFE_INTEGER);
  const MINOR = { JPY: 0, KRW: 0, VND: 0, KWD: 3, BHD: 3, OMR: 3 };

  // A decimal as a whole number of 10^-6, or null if it is none.
  function scaled(text, pattern) {
    if (!pattern.test(text)) return null;
    const [whole, fraction = ""] = text.replaceAll(",", "").split(".");
    return BigInt(whole + fraction.padEnd(SCALE, "0"));
  }

  // The same decimal without separators and superfluous zeros.
  function plain(text) {
    const [whole, fraction = ""] = text.replaceAll(",", "").split(".");
    const short = fraction.replace(/0+$/, "");
    return (whole.replace(/^0+/, "") || "0") + (short ? `.${short}` : "");
  }

  const digits = (currency) => MINOR[currency] ?? 2;

  // Quantity × unit price in minor units (BigInt), or null if one of them is no decimal or the amount is too large.
  function amount(quantity, price, currency) {
    const left = scaled(quantity, QUANTITY);
    const right = scaled(price, PRICE);
    if (left === null || right === null) return null;
    const unit = 10n ** BigInt(2 * SCALE);
    const exact = left * right * 10n ** BigInt(digits(currency));
    const rounded = (2n * exact + unit) / (2n * unit);
    return rounded > MOST ? null : rounded;
  }

  // An amount in minor units as people read it.
  function major(minor, currency) {
    const places = digits(currency);
    const text = minor.toString().padStart(places + 1, "0");
    const whole = text.slice(0, text.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
    return `${currency === "CNY" ? "¥" : ""}${whole}${places ? "." + text.slice(-places) : ""}${currency === "CNY" ? "" : " " + currency}`;
  }

  return { amount, major, plain, MOST };
})();

(() => {
  const form = document.getElementById("price-form");
  if (!form) return;
  const currency = form.dataset.currency;
  const text = form.dataset;
  const rows = [...form.querySelectorAll("[data-item]")].map((row) => ({
    code: row.dataset.item,
    quantity: row.dataset.quantity,
    input: row.querySelector("[data-price]"),
    error: row.querySelector(".field-error"),
    cell: row.querySelector("[data-amount]"),
  }));
  const delivery = form.querySelector("#delivery");
  const domestic = form.querySelector("[data-domestic]");
  const claims = [...form.querySelectorAll("[data-sme]")];
  const above = form.querySelector("[data-above]");
  const told = form.querySelector("[data-told]");
  const problems = form.querySelector("[data-problems]");

  const value = (row) => row.input.value.trim();
  const amountOf = (row) => quotes.amount(row.quantity, value(row), currency);
  const total = () => rows.map(amountOf).reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0n);

  function say(element, message) {
    element.textContent = message;
    element.hidden = !message;
  }

  function show() {
    for (const row of rows) {
      const amount = amountOf(row);
      row.cell.textContent = amount === null ? "–" : quotes.major(amount, currency);
    }
    const sum = total();
    form.querySelector("[data-total]").textContent = sum === null ? "–" : quotes.major(sum, currency);
    const limit = text.ceiling === "" ? null : BigInt(text.ceiling);
    say(above, sum !== null && limit !== null && sum > limit ? text.textAbove : "");
    say(told, "");
  }

  function mark(input, error, message) {
    say(error, message);
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  // Every field that is wrong: [input, message]. The same words stand at the field and in the summary.
  function check() {
    const found = [];
    for (const row of rows) {
      const message = amountOf(row) === null ? text.textPrice : "";
      mark(row.input, row.error, message);
      if (message) found.push([row.input, `${row.code}: ${message}`]);
    }
    const days = delivery.value.trim();
    const wrong = days !== "" && (!/^[0-9]{1,5}$/.test(days) || Number(days) < 1 || Number(days) > 36500);
    mark(delivery, delivery.nextElementSibling, wrong ? text.textDays : "");
    if (wrong) found.push([delivery, text.textDays]);
    if (domestic) {
      const share = domestic.value.trim();
      const bad = share !== "" && (!/^(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?$/.test(share) || Number(share) > 100);
      mark(domestic, domestic.nextElementSibling, bad ? text.textShare : "");
      if (bad) found.push([domestic, text.textShare]);
    }
    const sum = total();
    if (!found.length && (sum === 0n || sum > quotes.MOST)) found.push([rows[0].input, text.textLarge]);
    return found;
  }

  function summarise(found) {
    const list = problems.querySelector("ul");
    list.replaceChildren();
    for (const [input, message] of found) {
      const link = document.createElement("a");
      link.href = `#${input.id}`;
      link.textContent = message;
      const line = document.createElement("li");
      line.append(link);
      list.append(line);
    }
    problems.hidden = !found.length;
    if (found.length) problems.focus();
  }

  // The members stand in the order of the canonical form, so that the file is the same wherever it was made.
  function content() {
    const days = delivery.value.trim();
    const claim = claims.find((each) => each.checked);
    const share = domestic ? domestic.value.trim() : "";
    return {
      currency,
      items: rows.map((row) => ({
        amount: Number(amountOf(row)),
        code: row.code,
        quantity: quotes.plain(row.quantity),
        unit_price: quotes.plain(value(row)),
      })),
      terms: {
        delivery_days: days === "" ? null : Number(days),
        ...(share === "" ? {} : { domestic_share: share }),
        sme: (claim && claim.value) || null,
      },
      total: Number(total()),
    };
  }

  function save() {
    const found = check();
    summarise(found);
    if (found.length) return;
    const blob = new Blob([JSON.stringify(content())], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = text.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say(told, text.textSaved);
  }

  async function read(file) {
    let saved;
    try {
      saved = JSON.parse(await file.text());
      const codes = saved.items.map((item) => item.code).join();
      if (saved.currency !== currency || codes !== rows.map((row) => row.code).join()) throw new Error("other lot");
    } catch {
      say(told, text.textOther);
      return;
    }
    saved.items.forEach((item, place) => (rows[place].input.value = item.unit_price));
    delivery.value = saved.terms?.delivery_days ?? "";
    if (domestic) domestic.value = saved.terms?.domestic_share ?? "";
    for (const each of claims) each.checked = each.value === (saved.terms?.sme ?? "");
    show();
    say(told, text.textRead);
  }

  form.addEventListener("input", show);
  form.querySelector("[data-save]").addEventListener("click", save);
  form.querySelector("#earlier").addEventListener("change", (event) => {
    if (event.target.files.length) read(event.target.files[0]);
  });
  form.hidden = false;
  show();
})();
