import type { CompletedCommand, CompletedOption } from "./completed.js";

/** A script for zsh, to be sourced or put where `fpath` finds it as `_softjac`. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const described = commands.map(
    ({ name, help }) =>
      `    ${quoted(`${name}:${help.replaceAll(":", "\\:")}`)}`,
  );
  return `#compdef softjac
# softjac for zsh: source <(softjac completion zsh)
_softjac() {
  local state line
  local -a commands
  commands=(
${described.join("\n")}
  )
  _arguments -C '1:command:->command' '(-)'{-h,--help}'[Show this help]' '(-)--version[Show the version]' '*::word:->words'
  case $state in
    command) _describe command commands ;;
    words)
      case $line[1] in
${commands.map(commandCase).join("\n")}
      esac ;;
  esac
}
compdef _softjac softjac
`;
}

function commandCase({ name, options, words }: CompletedCommand): string {
  const rest =
    words === "files"
      ? "'*:file:_files'"
      : words === "none"
        ? ""
        : quoted(`1:word:(${words.join(" ")})`);
  const lines = [...options.flatMap(argumentsOf), rest].filter(Boolean);
  return `        ${name}) _arguments \\
${lines.map((line) => `          ${line}`).join(" \\\n")} ;;`;
}

function argumentsOf(option: CompletedOption): string[] {
  const { flag, short, help } = option;
  const text = help.replace(/[[\]:\\]/g, "\\$&");
  const names = [`--${flag}`, ...(short ? [`-${short}`] : [])];
  return names.map((name) => quoted(`${name}[${text}]${valueText(option)}`));
}

function valueText({ flag, value, choices }: CompletedOption): string {
  switch (value) {
    case "none":
      return "";
    case "choice":
      return `:${flag}:(${choices.join(" ")})`;
    case "choices":
      return `:${flag}:_sequence compadd - ${choices.join(" ")}`;
    case "file":
      return `:${flag}:_files`;
    case "any":
      return `:${flag}: `;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
