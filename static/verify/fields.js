// Small predicates from which the field tables of documents and record bodies are built (P3 rule 7).
import { encode, Fault, unbase64url } from "./bytes.js";

function require(holds, field) {
  if (!holds) throw new Fault("field", { field });
}

export const matching = (pattern) => (value, place) => require(typeof value === "string" && pattern.test(value), place);
export const integer = (low, high = Number.MAX_SAFE_INTEGER) => (value, place) =>
  require(Number.isSafeInteger(value) && value >= low && value <= high, place);
export const choice = (...allowed) => (value, place) => require(allowed.includes(value), place);
export const nullable = (inner) => (value, place) => value === null || inner(value, place);
export const anObject = (value, place) =>
  require(value !== null && typeof value === "object" && !Array.isArray(value), place);

export const blob = (length = null) => (value, place) => {
  require(typeof value === "string", place);
  let data = null;
  try { data = unbase64url(value); } catch { require(false, place); }
  require(length === null || data.length === length, place);
};

// Numbers by size, texts by their bytes; UTF-8 sorts as code points do, UTF-16 does not.
export function compare(left, right) {
  if (typeof left === "number" || typeof right === "number") return Number(left) - Number(right);
  const [first, second] = [encode(left), encode(right)];
  for (let at = 0; at < Math.min(first.length, second.length); at++) {
    if (first[at] !== second[at]) return first[at] - second[at];
  }
  return first.length - second.length;
}
function compareAll(left, right) {
  for (const [at, value] of left.entries()) {
    const order = compare(value, right[at]);
    if (order !== 0) return order;
  }
  return 0;
}

// `by` names the fields, with blanks between, by which an array is sorted and unique; with "" the items themselves.
export const array = (inner, { by = null, least = 0 } = {}) => (value, place) => {
  require(Array.isArray(value) && value.length >= least, place);
  value.forEach((item, number) => inner(item, `${place}[${number}]`));
  if (by === null) return;
  const keys = value.map((item) => (by === "" ? [item] : by.split(" ").map((name) => item[name])));
  require(keys.every((key, at) => at === 0 || compareAll(keys[at - 1], key) < 0), place);
};

export const shape = (required, optional = {}) => (value, place) => {
  anObject(value, place);
  for (const [name, inner] of Object.entries(required)) {
    require(Object.hasOwn(value, name), `${place}.${name}`);
    inner(value[name], `${place}.${name}`);
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(required, name)) continue;
    require(Object.hasOwn(optional, name), `${place}.${name}`);
    optional[name](value[name], `${place}.${name}`);
  }
};

export const either = (...rules) => (value, place) => {
  const fits = rules.some((rule) => {
    try {
      rule(value, place);
      return true;
    } catch (fault) {
      if (fault instanceof Fault) return false;
      throw fault;
    }
  });
  require(fits, place);
};

export const TEXT = (value, place) => require(typeof value === "string", place);
export const NAME = (value, place) => require(typeof value === "string" && value !== "", place);
export const HEX32 = matching(/^[0-9a-f]{64}$/);
export const DECIMAL = matching(/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?$/);
export const BOOL = choice(true, false);
export const INT = integer(Number.MIN_SAFE_INTEGER);
export const MS = integer(0);
export const COUNT = integer(0);
export const SEQ = integer(1);
export const BID = matching(/^[a-z0-9-]{1,40}$/);
export const ORG = matching(/^[0-9A-Z]{8,32}$/);
export const STAGE = choice("all", "tech", "price");
export const INDEX = integer(1, 16);
