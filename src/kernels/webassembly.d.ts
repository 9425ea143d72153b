/** The part of WebAssembly's JavaScript interface that we use; Node's type declarations leave it out. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(descriptor: {
      initial: number;
      maximum: number;
      shared: boolean;
    });
    readonly buffer: SharedArrayBuffer;
  }
  class Instance {
    constructor(
      module: Module,
      imports: Record<string, Record<string, unknown>>,
    );
    readonly exports: Record<string, unknown>;
  }
}
