import {
  floatColumn,
  int32Column,
  keyColumn,
  textColumn,
  writeTable,
} from "../reduce/arrow-table.js";
import type { KeyColumn } from "../reduce/group-table.js";
import { VERSION } from "../version.js";
import type { EffectRow, EffectsReport } from "./effects-report.js";

const NUMBERS = [
  ...(["estimate", "std_error", "statistic", "p_value"] as const),
  ...(["conf_low", "conf_high"] as const),
];

/** Writes effects as an Arrow file, one row per effect; returns its size in bytes. @throws as writeTable */
export function writeEffects(
  path: string,
  keys: readonly KeyColumn[],
  { effects, covariance, level, newtonDecrement }: EffectsReport,
  classNames: readonly string[] | null,
  options: { force: boolean; sync: boolean },
): Promise<number> {
  const of = <T>(value: (row: EffectRow) => T) => effects.map(value);
  return writeTable(
    path,
    [
      ...keys.map((key) =>
        keyColumn(
          key,
          of(({ group }) => group[key.name] ?? null),
        ),
      ),
      textColumn(
        "effect",
        of(({ effect }) => effect),
      ),
      classNames
        ? textColumn(
            "class",
            of((row) => `${row.class}`),
          )
        : int32Column(
            "class",
            of((row) => Number(row.class)),
          ),
      textColumn(
        "term",
        of(({ term }) => term),
      ),
      ...NUMBERS.map((name) =>
        floatColumn(
          name,
          of((row) => row[name]),
        ),
      ),
    ],
    {
      "softjac.version": VERSION,
      "softjac.command": "effects",
      "softjac.covariance": covariance,
      "softjac.level": String(level),
      ...(classNames
        ? { "softjac.class_names": JSON.stringify(classNames) }
        : {}),
      ...(newtonDecrement === null
        ? {}
        : { "softjac.newton_decrement": String(newtonDecrement) }),
    },
    options,
  );
}
