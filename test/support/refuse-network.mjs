import dgram from "node:dgram";
import dns from "node:dns";
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

// Preloaded into a process and its threads: notes a use of a network in the file NETWORK_USES, and exits with 97.

function refuse(owner, name) {
  owner[name] = (...args) => {
    // A socket's options may come as they were given, or in the list that Node makes of them.
    const [{ host, port } = {}] = args.flat();
    const where = port ? ` ${host}:${port}` : "";
    appendFileSync(process.env.NETWORK_USES, `${name}${where}\n`);
    process.exit(97);
  };
}

// Clients of HTTP, TLS and fetch all connect by a socket's method.
refuse(net.Socket.prototype, "connect");
refuse(net.Server.prototype, "listen");
refuse(dgram, "createSocket");
for (const owner of [dns, dns.promises])
  for (const name of ["lookup", "resolve", "resolve4", "resolve6"])
    refuse(owner, name);
syncBuiltinESMExports();
