import { storeF64 } from "./machine.js";
import { errorOfProduct, errorOfSum } from "./work.js";

/** 2^(1/128) in two doubles. */
const ROOT_HIGH: f64 = 1.0054299011128027;
const ROOT_LOW: f64 = 9.499186535455032e-17;

/** Stores pairs (high, low) of 2^(j/128), j = 0 … 127, within 2^-96: each is the previous one times 2^(1/128). */
export function storeExpTable(table: usize): void {
  let high = 1.0;
  let low = 0.0;
  for (let j: usize = 0; j < 128; j++) {
    storeF64(table + 16 * j, high);
    storeF64(table + 16 * j + 8, low);
    const product = high * ROOT_HIGH;
    const rest =
      errorOfProduct(high, ROOT_HIGH, product) +
      (high * ROOT_LOW + low * ROOT_HIGH);
    high = product + rest;
    low = errorOfSum(product, rest, high);
  }
}
