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
  const end = Buffer.from(`${" ".repeat(padding)}\n`);
  return Buffer.concat([start, text, end, bytesOf(values)]);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
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
  const all = zip64 === "all";
  const flags = [45, sizesBehind ? 8 : 0, deflated ? 8 : 0, 0];
  const long = (is: boolean, ...values: number[]) =>
    is ? values.map(() => 0xffffffff) : values;
  const extra = (is: boolean, ...values: number[]) =>
    is
      ? pack(`22${"8".repeat(values.length)}`, 1, 8 * values.length, ...values)
      : Buffer.alloc(0);
  for (const [name, bytes] of Object.entries(members)) {
    const packed = deflated ? deflateRawSync(bytes) : bytes;
    const sizes = [packed.length, bytes.length] as const;
    const [first, ...others] = sizesBehind
      ? [0, ...long(!!zip64, 0, 0)]
      : [crc32(bytes), ...long(!!zip64, ...sizes)];
    const local = extra(!!zip64, bytes.length, packed.length);
    const header = [
      pack("42224444", 0x04034b50, ...flags, first as number, ...others),
      pack("22", name.length, local.length),
      Buffer.from(name),
      local,
      packed,
      sizesBehind
        ? pack("4444", 0x08074b50, crc32(bytes), ...sizes)
        : local.subarray(0, 0),
    ];
    const central = extra(all, bytes.length, packed.length, at);
    directory.push(
      pack(
        "422224444",
        0x02014b50,
        45,
        ...flags,
        crc32(bytes),
        ...long(all, ...sizes),
      ),
      pack("22244", name.length, central.length, 0, 0, 0),
      pack("4", ...long(all, at)),
      Buffer.from(name),
      central,
    );
    for (const part of header) at += part.length;
    parts.push(...header);
  }
  const count = Object.keys(members).length;
  const { length } = Buffer.concat(directory);
  const end = at + length;
  if (all)
    directory.push(
      pack(
        "4822448888",
        0x06064b50,
        44,
        45,
        45,
        0,
        0,
        count,
        count,
        length,
        at,
      ),
      pack("4484", 0x07064b50, 0, end, 1),
    );
  const counts = all ? [0xffff, 0xffff] : [count, count];
  return Buffer.concat([
    ...parts,
    ...directory,
    pack("44224", 0x06054b50, 0, ...counts, ...long(all, length)),
    pack("42", ...long(all, at), comment.length),
    Buffer.from(comment),
  ]);
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
    const bytes = bytesOf(values);
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
    pack("8", text.length + padding.length),
    text,
    Buffer.from(padding),
    values,
  ]);
}

/** Packs numbers into little-endian fields of the given widths in bytes. */
function pack(widths: string, ...values: number[]): Buffer {
  return Buffer.concat(
    values.map((value, k) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      return bytes.subarray(0, Number(widths[k]));
    }),
  );
}
