/** What the page has of single rows: see ShownRows of src/report-page/output-report.ts. */
export interface RowsData {
  copiedColumns: string[];
  /** Which of them is the label. */
  label: string | null;
  /** null: there are no blocks. */
  blockFrom: "output" | "p" | null;
  lists: { name: string; rows: RowData[] }[];
}

export interface RowData {
  row: number;
  input: string | null;
  confidence: number | null;
  uncertainty: number | null;
  entropy: number | null;
  predicted: number | null;
  label: number | null;
  classes: number[];
  p: number[] | null;
  /** Upper triangle of the block of these classes; null inside: not in the output. */
  block: (number | null)[] | null;
  copied: (string | null)[];
}
