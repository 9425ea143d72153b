/** More of them tell nothing new. */
const MOST = 20;

/** What is not as it should be, one sentence each; beyond the first twenty only their number. */
export class Findings {
  /** Names a row of the input. */
  nameOfRow = (row: number): string => `row ${row}`;
  /** Returns the index of a row along the first axis of the input. */
  rowOf = (row: number): number => row;
  readonly list: string[] = [];
  others = 0;

  add(sentence: string): void {
    if (this.list.length < MOST) this.list.push(sentence);
    else this.others++;
  }

  get none(): boolean {
    return this.list.length === 0;
  }
}
