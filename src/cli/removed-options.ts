const SIZES = "softjac run --dry-run prints the sizes of a run";
const LIMITS = "SECURITY.md lists the fixed limits";

/** Options of earlier versions, of all commands or of one, and their replacements. */
const REMOVED: Readonly<Record<string, string>> = {
  heartbeat: "progress lines are written every 30 s",
  "inspect temperature": SIZES,
  "inspect threads": SIZES,
  "inspect threshold": SIZES,
  "inspect top-k": SIZES,
  "max-metadata-bytes": LIMITS,
  "max-columns": LIMITS,
  "max-nesting": LIMITS,
  "max-batch-rows": LIMITS,
  "max-decoded-bytes": LIMITS,
  kernel: "softjac chooses the kernel, and both give the same bits",
  "report run-report": "softjac run --json prints the time and throughput",
  "request-timeout": "a request without progress is repeated after 60 s",
  "report sample": "softjac show prints any row",
  "report seed": "the page has no random rows",
  "status-file": "use --metrics FILE, --log-format json or softjac status",
  tolerance: "the bounds of docs/results.md are guaranteed",
  "tensor-type": "the jacobian column is always marked as a tensor",
};

/** Returns the message for an option of an earlier version; null for any other name. */
export function removedOption(
  name: string,
  shown: string,
  command = "",
): string | null {
  const instead = REMOVED[`${command} ${name}`] ?? REMOVED[name];
  return instead === undefined ? null : `${shown} was removed; ${instead}`;
}
