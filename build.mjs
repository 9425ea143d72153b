// Builds dist/: the kernel (AssemblyScript to SIMD WebAssembly), bundles (library, command, workers), declarations.
import { execFile } from "node:child_process";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { promisify } from "node:util";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";
import { rolldown } from "rolldown";

const here = new URL(".", import.meta.url);
const runNode = (script, args) =>
  promisify(execFile)(process.execPath, [script, ...args], { cwd: here });

/** Packages of which dist/ has code that no bundle lists: helpers of the bundler, the library of the kernel's language. */
const BUILDERS = ["rolldown", "assemblyscript"];

/** Sources of ours that a command loads whatever it does; filled by following imports. */
const loadedAnyway = new Set();

function isLoadedAnyway(id) {
  return loadedAnyway.has(id);
}

/** Memory is shared by all workers: it comes from outside, and nothing of the module's own stands in it. */
const SHARED_MEMORY = [
  ...["--importMemory", "--sharedMemory", "--enable", "threads"],
  ...["--initialMemory", "1", "--maximumMemory", "65536"],
];

await rm(new URL("dist", here), { recursive: true, force: true });
await mkdir(new URL("dist", here));
await Promise.all([
  kernel("index", "kernels", SHARED_MEMORY).then(() =>
    kernel("sums", "sums", ["--importMemory"]),
  ),
  bundles(),
  declarations(),
  copyFile(
    new URL("src/report/page.css", here),
    new URL("dist/report-page.css", here),
  ),
]).catch((error) => {
  process.stderr.write(`${error.stdout ?? ""}${error.stderr ?? error.stack}\n`);
  process.exit(1);
});

/** src/kernels/portable is TypeScript and AssemblyScript at once, but for the file that stands for the machine. */
async function kernel(source, name, memory) {
  const asc = await import("assemblyscript/asc");
  const { error, stderr } = await asc.main(
    [
      ...[`src/kernels/simd/${source}.ts`, "--outFile", `dist/${name}.wasm`],
      ...memory,
      ...["--runtime", "stub", "--enable", "simd"],
      ...["--optimizeLevel", "3", "--noAssert", "--converge"],
    ],
    {
      readFile: (name) =>
        readFile(
          new URL(
            name.endsWith("portable/machine.js.ts")
              ? "src/kernels/simd/machine.ts"
              : name.replace(/\.js\.ts$/, ".ts"),
            here,
          ),
          "utf8",
        ).catch(() => null),
    },
  );
  if (error) throw new Error(stderr.toString(), { cause: error });
}

async function bundles() {
  await reach(new URL("src/cli/command-line.ts", here).pathname);

  const outputs = await Promise.all([
    // What a command loads anyway stands in one file: each one more costs every run a millisecond or two.
    bundleOf(
      { index: "src/index.ts", cli: "src/cli/main.ts" },
      {
        codeSplitting: {
          groups: [
            // What main.ts loads before all else.
            {
              name: "first",
              test: /src.(?:cli.signals|cli.streams|printable)\.ts$/,
              priority: 1,
            },
            { name: "shared", test: isLoadedAnyway },
          ],
        },
      },
    ),
    // Threads load nothing that is not theirs. piscina starts worker.js, its own, which loads one of the others.
    bundleOf({ worker: "node_modules/piscina/dist/worker.js" }),
    ...["rows", "parquet", "decompress", "compress"].map((name) =>
      bundleOf({ [name]: `workers/${name}.ts` }),
    ),
  ]);
  await thirdPartyLicences(outputs.flat());
  await writeFile(
    new URL("dist/package.json", here),
    '{ "type": "commonjs" }\n',
  );
  for (const [module, name] of [
    ["parquet-wasm/esm/parquet_wasm_bg.wasm", "parquet.wasm"],
    ["@foxglove/wasm-zstd/dist/wasm-zstd.wasm", "wasm-zstd.wasm"],
    ["lz4-wasm-nodejs/lz4_wasm_nodejs_bg.wasm", "lz4_wasm_nodejs_bg.wasm"],
  ])
    await copyFile(
      new URL(`node_modules/${module}`, here),
      new URL(`dist/${name}`, here),
    );
  await chmod(new URL("dist/cli.js", here), 0o755);
}

/** Follows static imports of our own files. */
async function reach(path) {
  if (loadedAnyway.has(path)) return;
  loadedAnyway.add(path);
  const text = await readFile(path, "utf8");
  const statements = text.matchAll(
    /^(?:import|export)\s(?!type\b)[^;]*?from\s+"(\.[^"]+)\.js"/gm,
  );
  for (const [, target] of statements)
    await reach(new URL(`${target}.ts`, `file://${path}`).pathname);
}

async function bundleOf(input, options) {
  const bundle = await rolldown({
    cwd: new URL(".", here).pathname,
    input,
    platform: "node",
    // Nothing of ours comes from a network; packages that look for it load their WebAssembly from themselves, and sooner.
    transform: {
      define: { fetch: "undefined", "import.meta.resolve": "require.resolve" },
    },
    // Queues, S3 and lower priorities are for those who have installed their packages; WebAssembly is read from beside the
    // bundles.
    external: ["bullmq", "ioredis", "@napi-rs/nice", /^@aws-sdk\//, /\.wasm$/],
  });
  // Packages are bundled, since every run pays for start-up: loaded from node_modules, apache-arrow costs 100 ms more, yargs
  // 35 to 70 ms, piscina 25 ms. The bundles are not minified: names and lines of stack traces stay readable, for 4 ms.
  const { output } = await bundle.write({
    dir: "dist",
    // CommonJS starts 10 ms sooner: Node lists all exports of a module that is imported, and so loads more of its own.
    format: "cjs",
    minify: "dce-only",
    comments: { jsdoc: false },
    plugins: [{ name: "plain-text", generateBundle: plainText }],
    entryFileNames: "[name].js",
    chunkFileNames: `${Object.keys(input)[0]}-[name]-[hash].js`,
    ...options,
  });
  return output;
}

/**
 * Breaks the lines of imports, and of WebAssembly in base64, that are longer than anyone can read. Escapes characters that
 * are not ASCII, because V8 reads ASCII faster.
 */
function plainText(_options, bundle) {
  for (const chunk of Object.values(bundle))
    if (chunk.type === "chunk")
      chunk.code = chunk.code
        .replace(/^(?:import|export) \{.{200,}?\}/gm, (list) =>
          list.replaceAll(", ", ",\n  "),
        )
        .replace(/"[\w+/=]{1000,}"/g, (literal) =>
          literal.replace(/.{120}/g, "$&\\\n"),
        )
        .replace(
          /[^\0-\x7f]/g,
          (character) =>
            `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
        );
}

/** Writes the licences and notices of every package whose code is in dist/, as they ask to be kept with it. */
async function thirdPartyLicences(output) {
  const packages = new Set([
    ...BUILDERS.map((name) => new URL(`node_modules/${name}`, here).pathname),
    ...output
      .flatMap(({ moduleIds = [] }) => moduleIds)
      .flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []),
  ]);
  const texts = [...packages].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(
      await readFile(`${folder}/package.json`, "utf8"),
    );
    const entries = await readdir(folder);
    const files = entries.filter((entry) => /^licen[cs]e/i.test(entry));
    // Of two files that one which the package says it is under.
    const file = files.find((entry) => entry.includes(license)) ?? files[0];
    const notices = entries.filter((entry) => /^notice/i.test(entry));
    const kept = [file, ...notices].filter((entry) => entry !== undefined);
    const parts = await Promise.all(
      kept.map((entry) => readFile(`${folder}/${entry}`, "utf8")),
    );
    const text = file ? parts.join("\n") : [license, ...parts].join("\n");
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  const all = (await Promise.all(texts)).join(`\n${"-".repeat(78)}\n\n`);
  await writeFile(new URL("dist/THIRD-PARTY-LICENSES.txt", here), all);
}

/** Writes the declarations of the public names, rolled into one file. */
async function declarations() {
  await runNode("node_modules/typescript/bin/tsc", [
    "-p",
    "tsconfig.build.json",
  ]);
  const entry = new URL("dist/types/src/index.d.ts", here).pathname;
  const rolled = new URL("dist/index.d.ts", here).pathname;
  const silent = { default: { logLevel: "none" } };
  const { succeeded } = Extractor.invoke(
    ExtractorConfig.prepare({
      configObject: {
        newlineKind: "lf",
        projectFolder: new URL(".", here).pathname,
        mainEntryPointFilePath: entry,
        compiler: {
          overrideTsconfig: {
            extends: "./tsconfig.json",
            files: [entry],
            include: [],
          },
        },
        dtsRollup: { enabled: true, untrimmedFilePath: rolled },
        messages: {
          extractorMessageReporting: silent,
          tsdocMessageReporting: silent,
        },
      },
      packageJsonFullPath: new URL("package.json", here).pathname,
    }),
    {
      localBuild: true,
      messageCallback: (message) => {
        message.handled = message.logLevel !== "error";
      },
    },
  );
  if (!succeeded) throw new Error("api-extractor could not roll declarations");
  await rm(new URL("dist/types", here), { recursive: true });
}
