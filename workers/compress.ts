// Piscina worker: each task compresses one record batch.
export { compress as default } from "./compress/compress.js";
