import type { CompletedCommand, CompletedOption } from "./completed.js";

/** A script for fish. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const first = "-n __fish_use_subcommand";
  return [
    "# softjac for fish: softjac completion fish | source",
    "complete -c softjac -f",
    `complete -c softjac ${first} -s h -l help -d 'Show this help'`,
    `complete -c softjac ${first} -l version -d 'Show the version'`,
    ...commands.map(
      ({ name, help }) =>
        `complete -c softjac ${first} -a ${name} -d ${quoted(help)}`,
    ),
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines({ name, options, words }: CompletedCommand): string[] {
  const base = `complete -c softjac -n '__fish_seen_subcommand_from ${name}'`;
  return [
    ...(words === "files" ? [`${base} -F`] : []),
    ...(Array.isArray(words) ? [`${base} -a '${words.join(" ")}'`] : []),
    ...options.map((option) => `${base} ${optionText(option)}`),
  ];
}

function optionText({
  flag,
  short,
  help,
  value,
  choices,
}: CompletedOption): string {
  const names = `${short ? `-s ${short} ` : ""}-l ${flag} -d ${quoted(help)}`;
  switch (value) {
    case "none":
      return names;
    case "choice":
      return `${names} -x -a '${choices.join(" ")}'`;
    case "choices":
      return `${names} -x -a '(__fish_complete_list , "printf \\"%s\\\\n\\" ${choices.join(" ")}")'`;
    case "file":
      return `${names} -r -F`;
    case "any":
      return `${names} -x`;
  }
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
