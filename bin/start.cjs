// A file of its own: Node.js 8 and older do not parse import().
"use strict";

import("../dist/cli.js");
