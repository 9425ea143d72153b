import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import { outputCall } from "../../system-error.js";
import type { InputFile } from "../input-file.js";
import { checkLimit } from "../limits.js";
import type { OpenOptions } from "../logits-file.js";
import { requireInput } from "../read-input.js";
import { npyHeader } from "./npy-header.js";
import type {
  ArrayContainer,
  PlacedArrays,
  StoredArray,
} from "./stored-array.js";
import { readZipDirectory } from "./zip-directory.js";
import { describeMethod, isReadable } from "./zip-entry.js";
import { memberHead } from "./zip-head.js";
import { locateMembers, memberBytes, type ZipMember } from "./zip-members.js";

const SUFFIX = ".npy";

/** An array of an archive. */
interface Member extends StoredArray {
  member: ZipMember;
  /** Where its values start among the member's bytes. */
  start: number;
}

/**
 * An .npz file: a zip archive of .npy files, which are the arrays; other members are passed over.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export async function openNpz(file: InputFile): Promise<ArrayContainer> {
  // What is deflated is read from its start, piece by piece.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const members = locateMembers(file, readZipDirectory(file));
  const arrays: Member[] = [];
  for (const member of members)
    if (member.name.endsWith(SUFFIX))
      arrays.push(await memberArray(file, member));
  if (arrays.length === 0)
    throw new LogitsColumnError(
      file.path,
      `expected a zip archive of .npy files, found ${
        members
          .map(({ name }) => name)
          .slice(0, 4)
          .join(", ") || "an empty archive"
      }${members.some(({ name }) => name.endsWith("data.pkl")) ? "; pickles are not supported, save the tensors as safetensors or .npy" : ""}`,
    );
  return {
    arrays,
    place: (chosen, options) => place(file, chosen as Member[], options),
  };
}

async function memberArray(
  file: InputFile,
  member: ZipMember,
): Promise<Member> {
  const { path } = file;
  const where = `member ${member.name}`;
  if (!isReadable(member))
    throw new InputUnsupportedError(
      path,
      where,
      `expected a stored or deflated member, found ${describeMethod(member)}`,
    );
  const { start, ...array } = await npyHeader({
    path,
    where,
    bytes: member.bytes,
    head: (bytes) => memberHead(file, member, bytes),
  });
  const name = member.name.slice(0, -SUFFIX.length);
  return { ...array, name, member, start };
}

/** Stored members are read where they are; once one is deflated, all go into a file that can be read by position. */
async function place(
  file: InputFile,
  chosen: readonly Member[],
  { scratch, signal }: Pick<OpenOptions, "scratch" | "signal">,
): Promise<PlacedArrays> {
  const unpacks = chosen.some(({ member }) => member.method !== 0);
  const members = new Set(chosen.map(({ member }) => member));
  const total = [...members].reduce((sum, { bytes }) => sum + bytes, 0);
  if (unpacks)
    checkLimit(file, "arrays", "maxDecodedBytes", "decoded bytes", total);
  const unpacked = unpacks ? openScratch(file, scratch) : null;
  const starts = new Map<ZipMember, number>();
  try {
    for (const array of chosen) {
      const { member, start } = array;
      // A column may be asked for twice: as label, and to be kept.
      if (starts.has(member)) continue;
      starts.set(member, start + (unpacked?.bytes ?? member.position));
      for await (const piece of memberBytes(file, member, signal))
        if (unpacked) keep(file, unpacked, piece);
    }
  } catch (error) {
    unpacked?.close();
    throw error;
  }
  return {
    fd: unpacked?.fd ?? file.fd,
    start: (array) => starts.get((array as Member).member) as number,
    close: () => unpacked?.close(),
  };
}

function openScratch(file: InputFile, scratch?: string): UnnamedFile {
  return keeping(file, () => new UnnamedFile(scratch));
}

function keep(file: InputFile, unpacked: UnnamedFile, piece: Uint8Array): void {
  keeping(file, () => unpacked.append(piece));
}

/** @throws IoError where there is no room for what is unpacked */
function keeping<T>({ path }: InputFile, act: () => T): T {
  return outputCall(path, "could not be decompressed to a temporary file", act);
}
