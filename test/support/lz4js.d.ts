declare module "lz4js" {
  const lz4js: { decompress(frame: Uint8Array): ArrayLike<number> };
  export default lz4js;
}
