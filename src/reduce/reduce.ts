import { withCallReport } from "../io/report-clock.js";
import { checkHooks, copyOptions } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import { checkAuxiliary } from "../results/emit-options.js";
import {
  checkReductions,
  inputOfReduction,
  REDUCTION_NAMES,
  type ReductionName,
  type SumColumn,
  shapeOf,
  sumColumns,
} from "../results/reductions.js";
import { VERSION } from "../version.js";
import {
  keyColumn,
  numberColumn,
  tensorColumn,
  writeTable,
} from "./arrow-table.js";
import {
  FILES,
  type ReduceOptions,
  type ResolvedReduceOptions,
  rejectTakenNames,
  resolveReduceOptions,
  type SumSource,
  sumRequest,
} from "./options.js";
import { writePartial } from "./partials.js";
import { columnValues } from "./softmax-sums.js";
import type { RowSums } from "./sum-inputs.js";
import { NO_SUMS, reportSums, type SumsReport } from "./sums-report.js";

/** Report of `reduce`: its return value, or `report` of its error. */
export interface ReduceReport extends SumsReport {
  output: string;
  emit: readonly ReductionName[];
}

/**
 * Sums results of softmax over the rows of files, by group, and writes an Arrow file with one row per group: means of p, J and
 * other results, log-likelihood, score, Fisher information, KFAC factors. Memory does not depend on the number of rows.
 *
 * The output has the group columns, `rows` (good rows), `weight` (the sum of their weights) and a column per result. Its bytes
 * do not depend on threads, chunks, record batches or the order of inputs.
 * @throws SoftjacError; its `report` describes the call up to the error
 */
export function reduce(
  options: ReduceOptions,
  hooks: RunHooks = {},
): Promise<ReduceReport> {
  return reduceFrom(FILES, options, hooks);
}

/** Reduces sums of a source. @throws as reduce */
export async function reduceFrom(
  source: SumSource,
  options: ReduceOptions,
  hooks: RunHooks,
): Promise<ReduceReport> {
  checkHooks(hooks);
  const resolved = resolveReduceOptions(options);
  const given = copyOptions(options);
  const { inputs, output, force, sync } = resolved;
  const emit = resolved.emit ?? ["softmax", "jacobian"];
  const fields = { inputs, output, emit, ...NO_SUMS };
  const rowsOf = ({ rows }: ReduceReport) => rows;
  return withCallReport<ReduceReport>(fields, rowsOf, async (report) => {
    checkEmit(emit, resolved);
    checkOutput({ path: output, force, format: ARROW, inputs });
    const request = await sumRequest("reduce", resolved, emit, output, source);
    let columns: SumColumn[] = [];
    const sums = await source.sum(
      {
        ...request,
        plan(shape) {
          columns = sumColumns(emit, shape, shape.inputs, resolved.class);
          const names = columns.map(({ name }) => name);
          rejectTakenNames(resolved.by, ["rows", "weight", ...names]);
          const spec = {
            ...{ classes: shape.classes, features: shape.features },
            intercept: resolved.intercept,
            coefficients: request.coefficients?.values ?? null,
            temperature: resolved.temperature,
            inputs: shape.inputs.map(({ values }) => values),
            moments: columns.map(({ moment }) => moment),
          };
          return [{ spec, isGrouped: true }];
        },
      },
      hooks,
    );
    reportSums(report, sums);
    const matrix = request.coefficients?.matrix;
    report.outputBytes = resolved.partial
      ? await writePartial(
          "reduce",
          given,
          new Map(matrix ? [["coefficients", matrix]] : []),
          sums,
          { output, force, sync },
        )
      : await write(sums, columns, resolved, { force, sync });
  });
}

/** Checks that options and results fit together. @throws UsageError */
function checkEmit(
  emit: readonly ReductionName[],
  options: ResolvedReduceOptions,
): void {
  const { features, label, weight, coefficients, temperature } = options;
  checkReductions(emit, {
    features: features !== undefined,
    label: label !== undefined,
    weight: weight !== undefined,
    coefficients: coefficients !== undefined,
    temperature,
  });
  checkAuxiliary(emit, options, REDUCTION_NAMES, inputOfReduction);
}

/** Writes one row per group; returns the size of the file in bytes. @throws as writeTable */
function write(
  { shape, spaces, groups, keys }: RowSums,
  columns: readonly SumColumn[],
  { output, layout, emit, ...options }: ResolvedReduceOptions,
  commit: { force: boolean; sync: boolean },
): Promise<number> {
  const [space] = spaces;
  const sorted = groups.sorted(keys);
  const valuesOf = columnValues(columns, shape, layout);
  const rounded = sorted.map(({ group }) => {
    const { rows, sums } = (space as NonNullable<typeof space>).rounded(group);
    return { rows, weight: sums[0] as number, values: valuesOf(sums) };
  });
  return writeTable(
    output,
    [
      ...keys.map((key, k) =>
        keyColumn(
          key,
          sorted.map(({ keys }) => keys[k] ?? null),
        ),
      ),
      numberColumn(
        "rows",
        "int64",
        rounded.map(({ rows }) => rows),
      ),
      numberColumn(
        "weight",
        "float64",
        rounded.map(({ weight }) => weight),
      ),
      ...columns.map((reduced, n) => {
        const { name } = reduced;
        const size = shapeOf(reduced, shape, layout);
        const values = rounded.map(({ values }) => values[n] ?? null);
        return size.length === 0
          ? numberColumn(name, "float64", values as (number | null)[])
          : tensorColumn(name, size, values as (Float64Array | null)[]);
      }),
    ],
    {
      "softjac.version": VERSION,
      "softjac.command": "reduce",
      "softjac.emit": columns.map(({ name }) => name).join(),
      "softjac.terms": JSON.stringify(shape.terms),
      "softjac.classes": String(shape.classes),
      ...(shape.classNames && {
        "softjac.class_names": JSON.stringify(shape.classNames),
      }),
      "softjac.temperature": String(options.temperature),
    },
    commit,
  );
}
