import dgram from "node:dgram";
import dns from "node:dns";
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

// Preload for all threads that records a use of the network in the file NETWORK_USES and exits with 97.

function refuse(owner, name) {
  owner[name] = (...args) => {
    // Options of a socket are the first argument, or the first item of Node's normalized list.
    const [{ host, port } = {}] = args.flat();
    const where = port ? ` ${host}:${port}` : "";
    appendFileSync(process.env.NETWORK_USES, `${name}${where}\n`);
    process.exit(97);
  };
}

// HTTP, TLS and fetch all connect through net.Socket.
refuse(net.Socket.prototype, "connect");
refuse(net.Server.prototype, "listen");
refuse(dgram, "createSocket");
for (const owner of [dns, dns.promises])
  for (const name of ["lookup", "resolve", "resolve4", "resolve6"])
    refuse(owner, name);
syncBuiltinESMExports();
