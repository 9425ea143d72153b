import yargs, { type Argv } from "yargs";
import type { CommandSpec } from "./command.js";
import { kebab } from "./option-text.js";

/** The help of a command, or of softjac itself. Loaded only when asked for: it would cost every run 80 ms. */
export function helpText(
  commands: readonly CommandSpec[],
  of: CommandSpec | undefined,
): Promise<string> {
  const words = of ? [of.name] : [];
  return new Promise((resolve, reject) => {
    base(commands).parse([...words, "--help"], {}, (error, _, output) => {
      if (error) reject(error);
      else resolve(output);
    });
  });
}

function base(commands: readonly CommandSpec[]): Argv {
  const softjac = yargs()
    .scriptName("softjac")
    .locale("en")
    .usage(
      "$0 <command>\n\nSoftmax and its exact Jacobian for datasets: Arrow files of logits in, sparse Arrow tables out.",
    );
  for (const spec of commands)
    softjac.command(
      [spec.name, positionalSyntax(spec)].join(" ").trim(),
      spec.summary,
      (syntax) => commandSyntax(syntax, spec),
    );
  return softjac
    .version(false)
    .option("version", { type: "boolean", describe: "Show the version" })
    .alias({ help: "h" })
    .describe("help", "Show this help")
    .exitProcess(false);
}

/** yargs takes several by their dots. */
function positionalSyntax({ positional }: CommandSpec): string {
  return positional
    ? `<${positional.option}${positional.several ? ".." : ""}>`
    : "";
}

function commandSyntax(syntax: Argv, command: CommandSpec): Argv {
  const { name, positional, epilogue } = command;
  syntax.usage(`$0 ${name} ${command.usage}`);
  for (const example of command.examples)
    syntax.example(`$0 ${name} ${example}`, "");
  if (positional)
    syntax.positional(positional.option, {
      type: "string",
      describe: positional.help,
    });
  const specs = [...command.options, ...command.settings];
  for (const spec of specs.filter(({ isSecret }) => !isSecret))
    syntax.option(kebab(spec.name), {
      ...(spec.kind !== "integer" &&
        spec.kind !== "number" && {
          type: spec.kind === "boolean" ? "boolean" : "string",
        }),
      describe: spec.help,
      group: `${spec.group}:`,
      requiresArg: spec.kind !== "boolean",
      ...(spec.alias && { alias: spec.alias }),
      ...(spec.choices && spec.kind !== "list" && { choices: spec.choices }),
      ...(spec.default !== undefined && {
        defaultDescription: String(spec.default),
      }),
    });
  return epilogue ? syntax.epilogue(epilogue) : syntax;
}
