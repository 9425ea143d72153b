import type { CommandSpec } from "./command.js";
import { EXIT } from "./exit-codes.js";
import { writeResult } from "./streams.js";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** `softjac completion`. @param commands all of them, this one too */
export function completionCommand(
  commands: () => readonly CommandSpec[],
): CommandSpec {
  return {
    name: "completion",
    summary: "A script that completes commands and options in a shell",
    usage:
      "<shell>\n\nPrints a script that makes a shell complete softjac's commands, options and their values.",
    positional: {
      option: "shell",
      what: "shell",
      help: "bash, zsh or fish",
      choices: SHELLS,
    },
    options: [],
    required: [],
    settings: [],
    examples: [
      "bash > ~/.local/share/bash-completion/completions/softjac",
      "zsh > ~/.zfunc/_softjac",
      "fish > ~/.config/fish/completions/softjac.fish",
    ],
    async execute({ shell }) {
      const [
        { completedCommands },
        { bashScript },
        { zshScript },
        { fishScript },
      ] = await Promise.all([
        import("./completion/completed.js"),
        import("./completion/bash.js"),
        import("./completion/zsh.js"),
        import("./completion/fish.js"),
      ]);
      const script = { bash: bashScript, zsh: zshScript, fish: fishScript };
      const make = script[shell as (typeof SHELLS)[number]];
      writeResult(make(completedCommands(commands())));
      return EXIT.done;
    },
  };
}
