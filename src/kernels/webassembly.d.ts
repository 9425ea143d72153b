/** Types of the WebAssembly API that softjac uses; @types/node lacks them. */
declare namespace WebAssembly {
  function compile(bytes: Uint8Array): Promise<Module>;
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(descriptor: {
      initial: number;
      maximum: number;
      shared?: boolean;
    });
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }
  class Instance {
    constructor(
      module: Module,
      imports: Record<string, Record<string, unknown>>,
    );
    readonly exports: Record<string, unknown>;
  }
}
