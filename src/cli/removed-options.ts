/** Options of earlier versions, and what replaces them. */
const REMOVED: Readonly<Record<string, string>> = {
  heartbeat: "progress lines are written every 30 s",
  "status-file": "use --metrics FILE, --log-format json or softjac status",
};

/** Returns a sentence about an option that earlier versions had; null for any other name. */
export function removedOption(name: string, shown: string): string | null {
  const instead = REMOVED[name];
  return instead === undefined ? null : `${shown} was removed; ${instead}`;
}
