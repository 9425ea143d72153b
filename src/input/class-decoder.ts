import { isDeepStrictEqual } from "node:util";
import type { Field } from "../arrow/field.js";
import {
  InputFormatError,
  InputUnsupportedError,
  LogitsColumnError,
} from "../errors.js";
import { isNull } from "../numeric/bad-row.js";
import { shortList, shortName } from "../printable.js";
import type { ArrowContainer } from "./arrow-container.js";
import { BatchDecoder, isDecodableNumber, setNull } from "./decoded-rows.js";
import { dictionaryBatches, type RecordBatch } from "./record-batches.js";
import { isText, textReader } from "./text-values.js";

/** Names of the classes, in order: those of an option win over those of the columns of logits. */
export interface ClassNames {
  given: readonly string[] | undefined;
  own: readonly string[] | null | undefined;
}

/**
 * Turns a column into class numbers, one record batch at a time: numbers as they are, one-hot rows, and strings by the
 * names of the classes. A dictionary of strings gives its codes if none of them is a class name.
 */
export class ClassDecoder {
  /** Note for the user if the codes of a dictionary of strings are the classes. */
  note: string | null = null;
  readonly #file: ArrowContainer;
  readonly #field: Field;
  readonly #classes: ReadonlyMap<string, number>;
  readonly #areGiven: boolean;
  /** Classes of the values of the dictionary, and by their codes the strings that are no class name. */
  readonly #dictionary: readonly number[] | null;
  readonly #others = new Map<number, string>();

  /** @throws InputFormatError, InputUnsupportedError, IoError; LogitsColumnError for strings without names of classes */
  constructor(file: ArrowContainer, field: Field, { given, own }: ClassNames) {
    const names = given ?? own ?? [];
    this.#file = file;
    this.#field = field;
    this.#classes = new Map(names.map((name, k) => [name, k]));
    // An output states names of columns and given names alike: verify gives both.
    this.#areGiven = given !== undefined && !isDeepStrictEqual(given, own);
    if (names.length === 0 && isText(field) && !field.dictionary)
      throw new LogitsColumnError(
        file.path,
        `column ${shortName(field.name)} has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c`,
      );
    this.#dictionary = field.dictionary && this.#dictionaryClasses();
  }

  /** Class numbers of a record batch whose first row is row `first` of the file; the NaN that marks a null for a null. */
  classes(found: RecordBatch, place: number, first: number): Float64Array {
    const span = found.columns[place] as (typeof found.columns)[number];
    const decoder = new BatchDecoder(this.#file, found.context, found.batch);
    const { dictionary } = this.#field;
    if (isText(this.#field) && !dictionary) {
      const textOf = textReader(this.#file, found, span);
      return decoder.mapped(span, (k) => {
        const text = textOf(k);
        return this.#classes.get(text) ?? this.#refuse(text, first + k);
      });
    }
    if (dictionary) {
      const codes = decoder.numbers(span);
      for (const [k, code] of codes.entries())
        if (this.#dictionary && !isNull(codes, k))
          codes[k] = this.#classOfCode(code, first + k);
      return codes;
    }
    const classes = new Float64Array(found.batch.rows);
    for (const [k, row] of decoder.rows(span).entries())
      if (row === null) setNull(classes, k);
      else if (row.length === 1) classes.set(row, k);
      else
        classes[k] = oneHotClass(row, this.#file.path, this.#where(first + k));
    return classes;
  }

  #classOfCode(code: number, row: number): number {
    const other = this.#others.get(code);
    if (other !== undefined) this.#refuse(other, row);
    const found = this.#dictionary?.[code];
    if (found !== undefined) return found;
    throw new InputFormatError(
      this.#file.path,
      this.#where(row),
      `expected an index of one of ${this.#dictionary?.length} dictionary values, found ${code}`,
    );
  }

  /** Null if the codes are the classes. */
  #dictionaryClasses(): number[] | null {
    const { name } = this.#field;
    const { dictionary } = this.#field;
    const plain = { ...this.#field, dictionary: null };
    if (!isText(plain) && !isDecodableNumber(plain)) return null;
    const classes: number[] = [];
    const fields = new Map([[dictionary?.id ?? -1, this.#field]]);
    for (const found of dictionaryBatches(this.#file, fields)) {
      if (classes.length > 0 && !found.isDelta)
        throw new InputUnsupportedError(
          this.#file.path,
          `column ${name}`,
          "its dictionary is replaced within the stream; write class numbers instead",
        );
      const { context, batch, columns } = found;
      const [span] = columns as [(typeof columns)[number]];
      const decoder = new BatchDecoder(this.#file, context, batch);
      const from = classes.length;
      const textOf = isText(plain) && textReader(this.#file, found, span);
      const part = textOf
        ? decoder.mapped(span, (k) => this.#classOfValue(textOf(k), from + k))
        : decoder.numbers(span);
      for (const value of part) classes.push(value);
    }
    if (!isText(plain) || this.#areGiven) return classes;
    if (classes.some((value) => value >= 0)) return classes;
    const [first, second] = [0, 1].map((k) => this.#others.get(k) ?? "null");
    this.note = `column ${shortName(name)}: the codes of its dictionary are the classes (0 is ${shortName(first as string)}, 1 is ${shortName(second as string)}); use --class-names to match its strings instead`;
    this.#others.clear();
    return null;
  }

  /** NaN for a string that is no class name. */
  #classOfValue(text: string, code: number): number {
    const found = this.#classes.get(text);
    if (found === undefined) this.#others.set(code, text);
    return found ?? Number.NaN;
  }

  #refuse(text: string, row: number): never {
    const names = shortList([...this.#classes.keys()], shortName);
    const what = this.#areGiven ? "add it to" : "give the names with";
    throw new InputUnsupportedError(
      this.#file.path,
      this.#where(row),
      `"${shortName(text)}" is not the name of a class (${names}); ${what} --class-names, or use null for rows without a label`,
    );
  }

  #where(row: number): string {
    return `column ${this.#field.name}, row ${row}`;
  }
}

/** The class of a one-hot row. @throws InputFormatError where it is not one 1 among zeros */
export function oneHotClass(
  row: Float64Array | Float32Array,
  path: string,
  where: string,
): number {
  const one = row.indexOf(1);
  if (one < 0 || row.some((value, n) => value !== (n === one ? 1 : 0)))
    throw new InputFormatError(
      path,
      where,
      "expected a class number or a one-hot row (one 1 among zeros)",
    );
  return one;
}
