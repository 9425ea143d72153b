import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from "node:http";
import type { AddressInfo } from "node:net";

/** Faults of a request. */
export const FAULTS = [
  /** Response: the store is overloaded. */
  "503",
  "500",
  /** HTML response of a proxy that cannot reach the store. */
  "502",
  /** Response: a concurrent request changes the same object. */
  "409",
  /** Connection reset before the store has the request, or after the store has executed it. */
  "reset before",
  "reset after",
  /** No response, although the store has executed the request. */
  "late",
  /** Connection reset after half of the response. */
  "cut",
  /** Half of the response in chunked encoding with a valid end. */
  "short",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Befalling {
  fault: Fault;
  /** Number of the first faulty request, from 1, among those for which `of` returns true. */
  turn: number;
  of?: (request: { method: string; url: string }) => boolean;
  /** Number of consecutive faulty requests; default: 1. */
  times?: number;
  /** Called before each fault. */
  onFault?: (request: { method: string; url: string }) => void;
}

/** Proxy of a store that injects faults. */
export class FaultProxy {
  #befalling: Befalling | null = null;
  #turn = 0;
  /** Requests since `befalling` was set. */
  requests: { method: string; url: string }[] = [];
  url = "";
  readonly #server = createServer((request, response) =>
    this.#pass(request, response),
  );

  constructor(private readonly upstream: string) {}

  async start(): Promise<string> {
    await new Promise<void>((resolve) =>
      this.#server.listen(0, "127.0.0.1", resolve),
    );
    const { port } = this.#server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    return this.url;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Fault of the next requests; null for none. */
  set befalling(befalling: Befalling | null) {
    this.#befalling = befalling;
    this.#turn = 0;
    this.requests = [];
  }

  #faultOf(request: { method: string; url: string }): Fault | null {
    const befalling = this.#befalling;
    this.requests.push(request);
    if (!befalling || !(befalling.of?.(request) ?? true)) return null;
    const { turn, times = 1, fault, onFault } = befalling;
    const now = ++this.#turn;
    if (now < turn || now >= turn + times) return null;
    onFault?.(request);
    return fault;
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "" } = request;
    const fault = this.#faultOf({ method, url });
    request.on("error", () => {});
    response.on("error", () => {});
    if (fault && fault in ERRORS) {
      request.resume();
      request.on("end", () => refuse(response, fault as keyof typeof ERRORS));
      return;
    }
    if (fault === "reset before") {
      request.socket.destroy();
      return;
    }
    const up: ClientRequest = send(
      this.upstream + url,
      { method, headers: request.headers },
      (answer) => {
        if (fault === "reset after") {
          answer.resume();
          answer.on("end", () => request.socket.destroy());
        } else if (fault === "late") answer.resume();
        else if (fault === "short") passHalf(answer, response);
        else passAnswer(answer, response, fault === "cut");
      },
    );
    up.on("error", () => request.socket.destroy());
    request.pipe(up);
  }
}

const xml = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>.</Message></Error>`;
const ERRORS = {
  "503": xml("SlowDown"),
  "500": xml("InternalError"),
  "409": xml("ConditionalRequestConflict"),
  "502": "<html><head><title>502</title></head><body>Bad <br> Gateway</html>",
};

function refuse(response: ServerResponse, fault: keyof typeof ERRORS): void {
  const text = ERRORS[fault];
  response.writeHead(Number(fault), {
    "content-type": fault === "502" ? "text/html" : "application/xml",
    "content-length": text.length,
  });
  response.end(text);
}

function passHalf(answer: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  answer.on("data", (piece) => pieces.push(piece));
  answer.on("end", () => {
    const { "content-length": length, ...headers } = answer.headers;
    const body = Buffer.concat(pieces);
    const isCut = body.byteLength > 0;
    response.writeHead(
      answer.statusCode ?? 500,
      isCut ? headers : answer.headers,
    );
    response.end(body.subarray(0, body.byteLength >> 1));
  });
}

function passAnswer(
  answer: IncomingMessage,
  response: ServerResponse,
  isCut: boolean,
): void {
  const pieces: Buffer[] = [];
  if (!isCut) {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
    return;
  }
  answer.on("data", (piece) => pieces.push(piece));
  answer.on("end", () => {
    const body = Buffer.concat(pieces);
    // A response without a body is cut in its head.
    if (body.byteLength === 0) {
      response.socket?.write("HTTP/1.1 200 O");
      response.socket?.destroy();
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.write(body.subarray(0, body.byteLength >> 1), () =>
      response.socket?.destroy(),
    );
  });
}
