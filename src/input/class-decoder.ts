import { isDeepStrictEqual } from "node:util";
import {
  arrowTypeOf,
  type Field,
  integerOfDate,
  plainField,
} from "../arrow/field.js";
import {
  InputFormatError,
  InputUnsupportedError,
  LogitsColumnError,
} from "../errors.js";
import { isNoClass, isNull } from "../kernels/bad-row.js";
import { shortList, shortName } from "../printable.js";
import type { Partition } from "../results/run-metadata.js";
import {
  ColumnDecoder,
  type DecodedRows,
  isDecodableNumber,
  isText,
  singleRows,
} from "./decoded-rows.js";
import type { ColumnSpan, RecordBatch } from "./record-batch.js";
import {
  type ArrowContainer,
  type DictionaryBatch,
  dictionaryBatches,
  partsBefore,
} from "./record-batches.js";

/** Names of the classes, in class order; `given` takes precedence. */
export interface ClassNames {
  /** Names from the option. */
  given: readonly string[] | undefined;
  /** Names of the columns of logits, or names that an output records. */
  fromFile: readonly string[] | null | undefined;
  /** Whether whole numbers among the names are those of labels, as in names from the option; default: false. */
  areCodes?: boolean | undefined;
  /** Strings that form groups instead: each gets a number when it first appears. */
  vocabulary?: Vocabulary | undefined;
}

/** Numbers of strings, in order of appearance. */
export type Vocabulary = Map<string, number>;

/** Value of a dictionary; undefined for null. */
type Value = string | number | undefined;

/** Dictionary batch with its decoded values. */
type Part = DictionaryBatch & { values: Value[] };

/**
 * Returns the classes of labels that are codes: names that are whole numbers, such as 1,2,3 or 10,20,30, in class order.
 * Returns null for other names, and for 0,1,2,…, whose codes are the class numbers.
 */
export function classesOfCodes(
  names: readonly string[] | undefined,
): ReadonlyMap<number, number> | null {
  if (!names?.every((name) => /^-?\d{1,15}$/.test(name))) return null;
  const codes = names.map(Number);
  if (codes.every((code, k) => code === k)) return null;
  return new Map(codes.map((code, k) => [code, k]));
}

/**
 * Converts a column to class numbers, one record batch at a time: from numbers, one-hot rows, or strings that are class
 * names. If no string of a dictionary is a class name, its codes are the class numbers. Numbers are matched with given class
 * names that are whole numbers.
 */
export class ClassDecoder {
  /** Note for the user, if the codes of a dictionary of strings are the classes. */
  note: string | null = null;
  readonly #classes: ReadonlyMap<string, number>;
  readonly #areGiven: boolean;
  /** Classes of numbers; null if numbers are the classes. */
  readonly #codes: ReadonlyMap<number, number> | null;
  readonly #vocabulary: Vocabulary | undefined;
  /** Dictionary batches; null if the codes are the classes. */
  readonly #parts: Part[] | null;

  /** @throws InputFormatError, InputUnsupportedError, IoError; LogitsColumnError for strings without class names */
  constructor(
    private readonly file: ArrowContainer,
    private readonly field: Field,
    classNames: ClassNames,
  ) {
    const { given, fromFile, areCodes = false, vocabulary } = classNames;
    const names = given ?? fromFile ?? [];
    // verify passes the names stored in an output as both, because an output does not record the origin of names that are no codes.
    this.#areGiven = given !== undefined && !isDeepStrictEqual(given, fromFile);
    const haveCodes = (areCodes || this.#areGiven) && !vocabulary;
    this.#codes = haveCodes ? classesOfCodes(names) : null;
    this.#vocabulary = vocabulary;
    this.#classes = vocabulary ?? new Map(names.map((name, k) => [name, k]));
    if (!vocabulary && names.length === 0 && isText(field) && !field.dictionary)
      throw new LogitsColumnError(
        file.path,
        `column ${shortName(field.name)} has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c`,
      );
    this.#parts = field.dictionary && this.#dictionary(field.dictionary.id);
  }

  /** Returns one class number per row of a record batch, whose first row is row `first` of the file. */
  rows(record: RecordBatch, column: number, first: number): DecodedRows {
    const span = record.columns[column] as ColumnSpan;
    const decoder = new ColumnDecoder(this.file, record, span);
    if (this.field.dictionary) {
      const codes = decoder.numbers();
      const values =
        this.#parts &&
        partsBefore(this.file, this.#parts, record.context.position).flatMap(
          ({ values }) => values,
        );
      for (const [k, code] of codes.entries())
        if (values && !isNull(codes, k))
          codes[k] = this.#classOfCode(code, values, first + k);
      return singleRows(codes);
    }
    if (isText(this.field)) {
      const textOf = decoder.texts();
      return singleRows(
        decoder.mapped((k) => this.#classOf(textOf(k), first + k)),
      );
    }
    const rows = decoder.rows();
    return {
      ...rows,
      at: (k) => {
        const row = rows.at(k);
        if (!row) return row;
        if (row.length === 1) {
          const number = row[0] as number;
          const found = this.#classOfNumber(number, first + k);
          // The row itself may have the NaN that marks a null.
          return Object.is(found, number) ? row : Float64Array.of(found);
        }
        const where = this.#where(first + k);
        return Float64Array.of(oneHotClass(row, this.file.path, where));
      },
    };
  }

  /** Returns the class that a partition states for all rows, as one row; null for a null. @throws InputUnsupportedError */
  ofPartition({ value, type }: Partition): Float64Array | null {
    if (value === null) return null;
    return Float64Array.of(
      type === "utf8"
        ? this.#classOf(value, null)
        : this.#classOfNumber(Number(value), null),
    );
  }

  #classOfCode(code: number, values: readonly Value[], row: number): number {
    if (!(code >= 0 && code < values.length))
      throw new InputFormatError(
        this.file.path,
        this.#where(row),
        `expected an index of one of ${values.length} dictionary values, found ${code}`,
      );
    const value = values[code];
    return typeof value === "string"
      ? this.#classOf(value, row)
      : this.#classOfNumber(value ?? Number.NaN, row);
  }

  /** Returns the class of a code, or the number itself if numbers are the classes or it means "no label". */
  #classOfNumber(number: number, row: number | null): number {
    if (!this.#codes) return number;
    const known = this.#codes.get(number);
    if (known !== undefined) return known;
    return isNoClass(number) ? number : this.#classOf(`${number}`, row);
  }

  #dictionary(id: number): Part[] | null {
    const { name } = this.field;
    // Dates form groups, but are no classes.
    const type = this.#vocabulary
      ? integerOfDate(this.field.type)
      : this.field.type;
    const plain = { ...this.field, type, dictionary: null };
    if (!isText(plain) && !isDecodableNumber(plain)) return null;
    const parts: Part[] = [];
    const fields = new Map([[id, this.field]]);
    for (const batch of dictionaryBatches(this.file, fields)) {
      const [span] = batch.columns as [ColumnSpan];
      const decoder = new ColumnDecoder(this.file, batch, span);
      const textOf = isText(plain) && decoder.texts();
      const numbers = textOf ? decoder.mapped((k) => k) : decoder.numbers();
      const values = Array.from(numbers, (n, k): Value => {
        if (isNull(numbers, k)) return undefined;
        return textOf ? textOf(k) : n;
      });
      parts.push({ ...batch, values });
    }
    const isKnown = (value: Value) => this.#classes.has(value as string);
    if (!isText(plain) || this.#areGiven || this.#vocabulary) return parts;
    if (parts.some(({ values }) => values.some(isKnown))) return parts;
    if (parts.filter(({ isDelta }) => !isDelta).length > 1)
      throw new InputUnsupportedError(
        this.file.path,
        `column ${name}`,
        "the stream replaces its dictionary, so that its codes are no classes; give the names of the classes with --class-names",
      );
    const [first = "null", second = "null"] = parts[0]?.values ?? [];
    this.note = `column ${shortName(name)}: the codes of its dictionary are the classes (0 is ${shortName(`${first}`)}, 1 is ${shortName(`${second}`)}); use --class-names to match its strings instead`;
    return null;
  }

  #classOf(text: string, row: number | null): number {
    const classNumber = this.#classes.get(text);
    if (classNumber !== undefined) return classNumber;
    if (this.#vocabulary) {
      const number = this.#vocabulary.size;
      this.#vocabulary.set(text, number);
      return number;
    }
    const names = shortList([...this.#classes.keys()], shortName);
    const advice = this.#areGiven ? "add it to" : "give the names with";
    throw new InputUnsupportedError(
      this.file.path,
      this.#where(row),
      `"${shortName(text)}" is not the name of a class (${names}); ${advice} --class-names, or use null for rows without a label`,
    );
  }

  /** @param row null for the value of a partition */
  #where(row: number | null): string {
    const { name } = this.field;
    return row === null ? `directory ${name}` : `column ${name}, row ${row}`;
  }
}

/** Returns the class of a one-hot row. @throws InputFormatError unless the row is one 1 among zeros */
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
      "expected a class number or a one-hot row (one 1 among zeros); convert other rows with argmax",
    );
  return one;
}

/** Returns the field of a column with the value of a partition. */
export function partitionField({ name, type }: Partition): Field {
  const arrowType =
    type === "utf8" ? { kind: "Utf8" as const } : arrowTypeOf(type);
  return { ...plainField(name, arrowType), nullable: true };
}
