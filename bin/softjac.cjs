#!/usr/bin/env node
// Says in one sentence that Node.js is too old, in syntax that an old Node.js can parse: otherwise it would print a stack.
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
  require("../dist/cli.js");
}
