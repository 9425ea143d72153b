// A piscina worker: compresses one record batch after the other.
export { compress as default } from "./compress/compress.js";
