import {
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { LocalServer } from "./local-server.js";

const xml = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>.</Message></Error>`;
/** Bodies of responses that the proxy sends instead of the store. */
const ERRORS = {
  /** The store is overloaded. */
  "503": xml("SlowDown"),
  "500": xml("InternalError"),
  /** HTML of a proxy that cannot reach the store. */
  "502": "<html><head><title>502</title></head><body>Bad <br> Gateway</html>",
  /** A concurrent request changes the same object. */
  "409": xml("ConditionalRequestConflict"),
};
const isError = (fault: Fault | null): fault is keyof typeof ERRORS =>
  fault !== null && fault in ERRORS;

/** Faults of a request. */
export const FAULTS = [
  ...(["503", "500", "502", "409"] as const),
  /** Connection reset before the store has the request, or after the store has executed it. */
  ...(["reset before", "reset after"] as const),
  /** No response, although the store has executed the request. */
  "late",
  /** Connection reset after half of the response. */
  "cut",
  /** Half of the response in chunked encoding with a valid end. */
  "short",
] as const;
export type Fault = (typeof FAULTS)[number];

type Request = { method: string; url: string };

export interface Befalling {
  fault: Fault;
  /** Number of the first faulty request, from 1, among those for which `of` returns true. */
  turn: number;
  of?: (request: Request) => boolean;
  /** Number of consecutive faulty requests; default: 1. */
  times?: number;
  /** Called before each fault. */
  onFault?: (request: Request) => void;
}

/** Proxy of a store that injects faults. */
export class FaultProxy extends LocalServer {
  #befalling: Befalling | null = null;
  #turn = 0;

  constructor(private readonly upstream: string) {
    super((request, response) => this.#pass(request, response));
  }

  /** Fault of the next requests; null for none. */
  set befalling(befalling: Befalling | null) {
    this.#befalling = befalling;
    this.#turn = 0;
  }

  #faultOf(request: Request): Fault | null {
    const befalling = this.#befalling;
    if (!befalling || !(befalling.of?.(request) ?? true)) return null;
    const { turn, times = 1, fault, onFault } = befalling;
    const now = ++this.#turn;
    if (now < turn || now >= turn + times) return null;
    onFault?.(request);
    return fault;
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "", headers } = request;
    const fault = this.#faultOf({ method, url });
    const reset = () => request.socket.destroy();
    for (const side of [request, response]) side.on("error", () => {});
    if (isError(fault)) {
      request.resume().on("end", () => {
        const type = fault === "502" ? "text/html" : "application/xml";
        const text = ERRORS[fault];
        response.writeHead(Number(fault), {
          ...{ "content-type": type, "content-length": text.length },
        });
        response.end(text);
      });
      return;
    }
    if (fault === "reset before") return void reset();
    const up = send(this.upstream + url, { method, headers }, (answer) => {
      if (fault === "reset after") answer.resume().on("end", reset);
      else if (fault === "late") answer.resume();
      else if (fault) passHalf(answer, response, fault === "cut").catch(reset);
      else {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }
    });
    up.on("error", reset);
    request.pipe(up);
  }
}

/** Sends half of a response, then resets the connection (`isCut`) or ends a chunked response. */
async function passHalf(
  answer: IncomingMessage,
  response: ServerResponse,
  isCut: boolean,
): Promise<void> {
  const body = await buffer(answer);
  const reset = () => response.socket?.destroy();
  // A response without a body is cut in its head.
  if (isCut && body.byteLength === 0)
    return void response.socket?.write("HTTP/1.1 200 O", reset);
  const { "content-length": _, ...chunked } = answer.headers;
  const isWhole = isCut || body.byteLength === 0;
  response.writeHead(
    answer.statusCode ?? 500,
    isWhole ? answer.headers : chunked,
  );
  const half = body.subarray(0, body.byteLength >> 1);
  if (isCut) response.write(half, reset);
  else response.end(half);
}
