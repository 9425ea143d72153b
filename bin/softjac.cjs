#!/usr/bin/env node
// Says in one sentence that Node.js is too old or that dist is missing, in syntax that an old Node.js can parse: otherwise it would
// print a stack.
"use strict";

const version = process.versions.node;
const parts = version.split(".").map(Number);

if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  process.stderr.write(
    "softjac needs Node.js 20.19 or later, but this is Node.js " +
      version +
      ": install a newer one from https://nodejs.org\n",
  );
  process.exitCode = 78;
} else {
  try {
    require("../dist/cli.js");
  } catch (error) {
    if (
      error.code !== "MODULE_NOT_FOUND" ||
      !/^Cannot find module '\.\.\/dist\//.test(error.message)
    )
      throw error;
    process.stderr.write(
      "softjac is not built: run npm run build in the checkout, or install the package again\n",
    );
    process.exitCode = 78;
  }
}
