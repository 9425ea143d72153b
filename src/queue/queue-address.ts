import { UsageError } from "../errors.js";
import type { QueueOptions } from "./options.js";

/** Where a queue is, and who we are there. */
export interface QueueAddress {
  host: string;
  port: number;
  db: number;
  tls: boolean;
  username: string | undefined;
  password: string | undefined;
  /** For messages and reports: without the password. */
  shown: string;
}

/**
 * The address in its parts.
 * @throws UsageError, which does not repeat the address: a password may be in it
 */
export function queueAddress({
  queue,
  queuePassword,
}: Pick<QueueOptions, "queue" | "queuePassword">): QueueAddress {
  const url = parsed(queue);
  const { protocol, port, pathname } = url;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const username = decoded(url.username) || undefined;
  const password = decoded(url.password) || queuePassword;
  const db = Number(pathname.slice(1) || 0);
  const at = username ? `${encodeURIComponent(username)}@` : "";
  return {
    host,
    port: Number(port || 6379),
    db,
    tls: protocol === "rediss:",
    username,
    password,
    shown: `${protocol}//${at}${url.hostname}:${port || 6379}/${db}`,
  };
}

/** Whether an address has a password in it. */
export function hasPassword(queue: string): boolean {
  return URL.canParse(queue) && new URL(queue).password !== "";
}

function parsed(queue: string): URL {
  const url = URL.canParse(queue) ? new URL(queue) : null;
  const isRight =
    url !== null &&
    /^rediss?:$/.test(url.protocol) &&
    url.hostname !== "" &&
    /^\/?\d{0,4}$/.test(url.pathname) &&
    url.search === "" &&
    url.hash === "";
  if (!isRight)
    throw new UsageError(
      "queue: not a Redis URL; write it as in redis://host:6379/0 or rediss://user@host:6380",
      "queue",
    );
  return url;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
