import type { CompletedCommand, CompletedOption } from "./completed.js";

/** A script for bash: what it does not know is a file name, which bash completes itself. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name);
  return `# softjac for bash: source <(softjac completion bash)
_softjac() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${names.join("|")}) command=$word; break ;; esac
  done
  case $command in
${["", ...names].map((name) => commandCase(name, commands)).join("\n")}
  esac
}
_softjac_words() { COMPREPLY=($(compgen -W "$1" -- "$2")); }
_softjac_list() {
  local before=
  [[ $2 == *,* ]] && before=\${2%,*},
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "\${2##*,}"))
  compopt -o nospace
}
complete -o default -F _softjac softjac
`;
}

function commandCase(
  name: string,
  commands: readonly CompletedCommand[],
): string {
  const command = commands.find((found) => found.name === name);
  if (!command) {
    const words = [...commands.map(({ name }) => name), "--help", "--version"];
    return `    "") _softjac_words "${words.join(" ")}" "$current" ;;`;
  }
  const { options, words } = command;
  const flags = options.flatMap(dashed).join(" ");
  const values = options.filter(({ value }) => value !== "none");
  const rest = Array.isArray(words)
    ? `[[ $current == -* ]] && _softjac_words "${flags}" "$current" || _softjac_words "${words.join(" ")}" "$current"`
    : `[[ $current == -* ]] && _softjac_words "${flags}" "$current"`;
  const cases = values.map((option) => `        ${valueCase(option)}`);
  return `    ${name})
      case $previous in
${[...cases, `        *) ${rest} ;;`].join("\n")}
      esac ;;`;
}

function valueCase(option: CompletedOption): string {
  const { value, choices } = option;
  const pattern = dashed(option).join("|");
  const words = choices.join(" ");
  if (value === "choice")
    return `${pattern}) _softjac_words "${words}" "$current" ;;`;
  if (value === "choices")
    return `${pattern}) _softjac_list "${words}" "$current" ;;`;
  return `${pattern}) ;;`;
}

function dashed({ flag, short }: CompletedOption): string[] {
  return [`--${flag}`, ...(short ? [`-${short}`] : [])];
}
