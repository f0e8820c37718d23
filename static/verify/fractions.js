// Exact fractions of BigInt as [numerator, denominator]; the denominator is positive. No floating point number anywhere.
export const ZERO = [0n, 1n];

// A decimal text as a fraction; no sum is ever reduced before it is shown.
export function fraction(text) {
  const [whole, part = ""] = text.split(".");
  return [BigInt(whole + part), 10n ** BigInt(part.length)];
}
export const whole = (number) => [BigInt(number), 1n];
export const plus = ([a, b], [c, d]) => [a * d + c * b, b * d];
export const minus = ([a, b], [c, d]) => [a * d - c * b, b * d];
export const times = ([a, b], [c, d]) => [a * c, b * d];
export const over = ([a, b], [c, d]) => (c < 0n ? [-a * d, -b * c] : [a * d, b * c]);
export const share = (text) => times(fraction(text), [1n, 100n]);
// Below zero if the first is smaller, above if it is greater.
export function order([a, b], [c, d]) {
  const [left, right] = [a * d, c * b];
  return left < right ? -1 : left > right ? 1 : 0;
}
export const equal = (left, right) => order(left, right) === 0;
export const atMost = (left, right) => order(left, right) <= 0;
const floor = (a, b) => (a >= 0n ? a / b : -((b - 1n - a) / b));
export const halfUp = ([a, b]) => floor(2n * a + b, 2n * b);
export const roundUp = ([a, b]) => -floor(-a, b);
export const sum = (values) => values.reduce(plus, ZERO);

// In lowest terms: `100` or `200/3`.
export function textOf([a, b]) {
  let [high, low] = [a < 0n ? -a : a, b];
  while (low !== 0n) [high, low] = [low, high % low];
  const divisor = high === 0n ? 1n : high;
  return b / divisor === 1n ? `${a / divisor}` : `${a / divisor}/${b / divisor}`;
}
// Points in units of the last decimal: 8713 with two decimals is `87.13`.
export function digits(units, decimals) {
  const text = units.toString().padStart(decimals + 1, "0");
  return decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}
