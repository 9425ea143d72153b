import { crc32, deflateRawSync } from "node:zlib";

// Writes files of arrays byte by byte, including files that no other writer would write.

export interface NpyOptions {
  /** Default: the type of the array. */
  descr?: string;
  /** Default: one axis. */
  shape?: readonly (number | string)[];
  fortran?: boolean;
  version?: 1 | 2 | 3;
  /** Complete header; replaces the other options. */
  header?: string;
}

/** Returns an .npy file whose values have the bytes of `values`; `given` is its shape or options. */
export function npy(
  values: ArrayBufferView & { length?: number },
  given: NpyOptions | NpyOptions["shape"] = {},
): Buffer {
  const options: NpyOptions = "length" in given ? { shape: given } : given;
  const { fortran = false, version = 1, header } = options;
  const { descr = descrOf(values), shape = [values.length ?? 0] } = options;
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const own = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${tuple}, }`;
  const prefix = version === 1 ? 10 : 12;
  const text = Buffer.from(header ?? own);
  const padding = 64 - ((prefix + text.length + 1) % 64);
  const length = text.length + padding + 1;
  const start = Buffer.alloc(prefix);
  start.write("\x93NUMPY", "latin1");
  start[6] = version;
  if (version === 1) start.writeUInt16LE(length, 8);
  else start.writeUInt32LE(length, 8);
  const bytes = Buffer.from(
    values.buffer,
    values.byteOffset,
    values.byteLength,
  );
  return Buffer.concat([
    start,
    text,
    Buffer.from(`${" ".repeat(padding)}\n`),
    bytes,
  ]);
}

function descrOf(values: ArrayBufferView): string {
  const [, kind = "", bits] =
    /^(?:Big)?(Float|Int|Uint)(\d+)/.exec(values.constructor.name) ?? [];
  const order = bits === "8" ? "|" : "<";
  return `${order}${kind[0]?.toLowerCase()}${Number(bits) / 8}`;
}

/** Converts `[rows, values]` numbers from C order to Fortran order. */
export function columnsFirst<T extends Float32Array | Float64Array>(
  numbers: T,
  rows: number,
): T {
  const values = numbers.length / rows;
  return numbers.map(
    (_, at) => numbers[(at % rows) * values + Math.floor(at / rows)] as number,
  ) as T;
}

export interface ZipOptions {
  deflated?: boolean;
  /** Headers with zip64 sizes: local headers only, as NumPy writes them, or all. */
  zip64?: "local" | "all";
  /** Whether checksum and sizes follow the bytes, as streaming writers write them. */
  sizesBehind?: boolean;
  comment?: string;
}

export function zip(
  members: Record<string, Buffer>,
  {
    deflated = false,
    zip64,
    sizesBehind = false,
    comment = "",
  }: ZipOptions = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const put = (...pieces: Buffer[]) => {
    for (const piece of pieces) {
      parts.push(piece);
      at += piece.length;
    }
  };
  const all = zip64 === "all";
  for (const [name, bytes] of Object.entries(members)) {
    const packed = deflated ? deflateRawSync(bytes) : bytes;
    const offset = at;
    const fields = (long: boolean, here: boolean) => [
      u16(45),
      u16(sizesBehind ? 8 : 0),
      u16(deflated ? 8 : 0),
      u32(0),
      u32(here ? crc32(bytes) : 0),
      u32(long ? 0xffffffff : here ? packed.length : 0),
      u32(long ? 0xffffffff : here ? bytes.length : 0),
      u16(name.length),
    ];
    const extra = (numbers: number[]) =>
      Buffer.concat([u16(1), u16(8 * numbers.length), ...numbers.map(u64)]);
    const local = zip64
      ? extra([bytes.length, packed.length])
      : u16(0).subarray(2);
    put(
      u32(0x04034b50),
      ...fields(!!zip64, !sizesBehind),
      u16(local.length),
      Buffer.from(name),
      local,
      packed,
    );
    if (sizesBehind)
      put(
        u32(0x08074b50),
        u32(crc32(bytes)),
        u32(packed.length),
        u32(bytes.length),
      );
    const central = all
      ? extra([bytes.length, packed.length, offset])
      : u16(0).subarray(2);
    directory.push(
      u32(0x02014b50),
      u16(45),
      ...fields(all, true),
      u16(central.length),
      Buffer.alloc(10),
      u32(all ? 0xffffffff : offset),
      Buffer.from(name),
      central,
    );
  }
  const count = Object.keys(members).length;
  const start = at;
  put(...directory);
  const bytes = at - start;
  if (all) {
    const end = at;
    put(
      u32(0x06064b50),
      u64(44),
      u16(45),
      u16(45),
      u32(0),
      u32(0),
      u64(count),
      u64(count),
      u64(bytes),
      u64(start),
    );
    put(u32(0x07064b50), u32(0), u64(end), u32(1));
  }
  put(
    u32(0x06054b50),
    u32(0),
    u16(all ? 0xffff : count),
    u16(all ? 0xffff : count),
    u32(all ? 0xffffffff : bytes),
    u32(all ? 0xffffffff : start),
    u16(comment.length),
    Buffer.from(comment),
  );
  return Buffer.concat(parts);
}

export interface Tensor {
  dtype: string;
  shape: readonly number[];
  values: ArrayBufferView;
}

/** Returns a safetensors file whose header is padded to a multiple of 8 bytes. */
export function safetensors(tensors: Record<string, Tensor>): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, { dtype, shape, values }] of Object.entries(tensors)) {
    const bytes = Buffer.from(
      values.buffer,
      values.byteOffset,
      values.byteLength,
    );
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
    parts.push(bytes);
  }
  return safetensorsFile(JSON.stringify(header), Buffer.concat(parts));
}

export function safetensorsFile(header: string, values: Buffer): Buffer {
  const text = Buffer.from(header);
  const padding = " ".repeat((8 - (text.length % 8)) % 8);
  return Buffer.concat([
    u64(text.length + padding.length),
    text,
    Buffer.from(padding),
    values,
  ]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
