import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
import { AnonymousFile } from "../../io/anonymous-file.js";
import { checkLimit } from "../../io/limits.js";
import { outputCall } from "../../io/system-error.js";
import type { OpenOptions } from "../logits-file.js";
import { type InputFile, requireInput } from "../read-input.js";
import { npyHeader } from "./npy.js";
import type {
  ArrayContainer,
  StoredArray,
  UnpackedArrays,
} from "./stored-array.js";
import { readZipMembers, unsupported, type ZipMember } from "./zip-archive.js";
import { memberData, memberHead } from "./zip-data.js";

const SUFFIX = ".npy";

interface Member extends StoredArray {
  member: ZipMember;
}

/**
 * Opens an .npz file, a zip archive of .npy files; other members are ignored.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export async function openNpz(file: InputFile): Promise<ArrayContainer> {
  // Headers are in the members, and members are read whole.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const members = readZipMembers(file);
  const arrays: Member[] = [];
  for (const member of members)
    if (member.name.endsWith(SUFFIX))
      arrays.push(await memberArray(file, member));
  if (arrays.length === 0) {
    const names = members.map(({ name }) => name);
    const advice = names.some((name) => name.endsWith("data.pkl"))
      ? "pickles are not supported, save the tensors as safetensors or .npy"
      : "extract the files and give their paths";
    throw new LogitsColumnError(
      file.path,
      `expected a zip archive of .npy files, found ${names.slice(0, 4).join(", ") || "an empty archive"}; ${advice}`,
    );
  }
  return {
    arrays,
    unpack: (chosen, options) => unpack(file, chosen as Member[], options),
  };
}

async function memberArray(
  file: InputFile,
  member: ZipMember,
): Promise<Member> {
  const { path } = file;
  const where = `member ${member.name}`;
  const problem = unsupported(member);
  if (problem)
    throw new InputUnsupportedError(
      path,
      where,
      `expected a stored or deflated member, found ${problem}; write the archive with numpy.savez or numpy.savez_compressed`,
    );
  const array = await npyHeader({
    path,
    where,
    bytes: member.bytes,
    head: (bytes) => memberHead(file, member, bytes),
  });
  return { ...array, name: member.name.slice(0, -SUFFIX.length), member };
}

/** Reads stored members in place; if any is deflated, decompresses all to a temporary file. */
async function unpack(
  file: InputFile,
  chosen: readonly Member[],
  { scratch, signal }: Pick<OpenOptions, "scratch" | "signal">,
): Promise<UnpackedArrays> {
  // A member may be chosen twice, for example as labels and as a column to copy.
  const members = new Map(chosen.map((array) => [array.member, array.start]));
  const inflates = chosen.some(({ member }) => member.method !== 0);
  const total = [...members.keys()].reduce((sum, { bytes }) => sum + bytes, 0);
  if (inflates)
    checkLimit(file, "arrays", "maxDecodedBytes", "decoded bytes", total);
  const writing = <T>(act: () => T): T =>
    outputCall(file.path, "could not be decompressed to a temporary file", act);
  const copy = inflates ? writing(() => new AnonymousFile(scratch)) : null;
  const starts = new Map<ZipMember, number>();
  try {
    for (const [member, start] of members) {
      starts.set(member, start + (copy?.bytes ?? member.position));
      // Stored members are read as well, to verify their checksums.
      for await (const chunk of memberData(file, member, signal))
        if (copy) writing(() => copy.append(chunk));
    }
  } catch (error) {
    copy?.close();
    throw error;
  }
  return {
    fd: copy?.fd ?? file.fd,
    start: (array) => starts.get((array as Member).member) as number,
    close: () => copy?.close(),
  };
}
