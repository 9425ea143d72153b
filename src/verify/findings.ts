/** More of them tell nothing new. */
const MOST = 20;

/** What is not as it should be, one sentence each; beyond the first twenty only their number. */
export class Findings {
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
