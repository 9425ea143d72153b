import { setMaxListeners } from "node:events";
import {
  AbortedError,
  ConfigurationError,
  InputMissingError,
  IoError,
  PermissionError,
  ServiceUnavailableError,
  type SoftjacError,
} from "../../errors.js";
import { delay, orAborted, withWatchdog } from "../../io/waiting.js";
import { ReplacedError } from "../store.js";

// The SDK retries requests but not the reading of response bodies. The loop in this file retries both, so the retries of the
// SDK are off.

/** Attempts per request; with the pauses, about 10 s if the store rejects every attempt at once. */
const MAX_ATTEMPTS = 8;
const MAX_PAUSE_MS = 10_000;

/** Timeout without progress, first pause between attempts, and minimum upload speed. */
const PACE = {
  // Covers a store that is being restarted.
  timeoutMs: 60_000,
  firstPauseMs: 100,
  minBytesPerMs: 256,
};

export interface Attempt {
  /** Aborted by a timeout or by `stop`. */
  signal: AbortSignal;
  /** Restarts the timeout after data was received. */
  alive: () => void;
}

/** Makes requests and retries those that may succeed later. */
export class Requests {
  constructor(private readonly pace = PACE) {}

  /**
   * Makes a request.
   * @param name object or prefix, for messages
   * @param stop signal that aborts the request and the pauses between attempts
   * @param bytes bytes that the request sends, which extend its timeout
   * @throws AbortedError if `stop` is aborted; ServiceUnavailableError if every attempt failed; SoftjacError whose cause is
   * a Refusal or ReplacedError if retrying is useless
   */
  async make<T>(
    name: string,
    stop: AbortSignal | undefined,
    attempt: (context: Attempt) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    // Concurrent requests listen to one signal, and Node warns of more than ten listeners.
    if (stop) setMaxListeners(0, stop);
    for (let attempts = 1; ; attempts++) {
      if (stop?.aborted) throw new AbortedError({ cause: stop.reason });
      try {
        return await this.#once(attempt, bytes, stop);
      } catch (error) {
        const failure = failureOf(error);
        if (!failure) throw error;
        const { reason, text } = failure;
        if (reason) throw errorFor(name, reason, text, error);
        if (attempts === MAX_ATTEMPTS)
          throw new ServiceUnavailableError(
            name,
            `the request failed ${MAX_ATTEMPTS} times: ${text}`,
            { cause: error },
          );
        await this.#pause(attempts, stop);
      }
    }
  }

  async #once<T>(
    attempt: (context: Attempt) => Promise<T>,
    bytes: number,
    stop: AbortSignal | undefined,
  ): Promise<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const { timeoutMs, minBytesPerMs } = this.pace;
    const seconds = (timeoutMs + bytes / minBytesPerMs) / 1000;
    try {
      return await withWatchdog(
        seconds,
        (alive) => orAborted(stop, attempt({ signal, alive })),
        () => new BadTransfer(`no data within ${seconds} s`),
      );
    } catch (error) {
      // The attempt may still be running.
      controller.abort(error);
      throw error;
    }
  }

  /** Waits twice as long each time, with jitter, so that processes that failed together do not retry together. */
  async #pause(attempts: number, stop: AbortSignal | undefined): Promise<void> {
    const next = this.pace.firstPauseMs * 2 ** (attempts - 1);
    const ms = Math.min(MAX_PAUSE_MS, next) * (0.5 + Math.random() / 2);
    await delay(ms / 1000, stop);
  }
}

/** Response that is missing, incomplete or inconsistent; the request is retried. */
export class BadTransfer extends Error {}

/** Reasons of a store to refuse a request for which retrying is useless. */
export type Reason =
  | ("condition" | "no object" | "no bucket" | "no upload")
  | ("denied" | "credentials" | "other");

/** Reasons by name of the error, or by status for responses to HEAD, which have no body. */
const REASONS: readonly [names: RegExp, statuses: number[], reason: Reason][] =
  [
    [/^PreconditionFailed$/, [304, 412], "condition"],
    [/^NoSuchBucket$/, [], "no bucket"],
    [/^NoSuchUpload$/, [], "no upload"],
    [/^(?:NoSuchKey|NotFound)$/, [404], "no object"],
    [/^(?:CredentialsProviderError|TokenProviderError)$/, [], "credentials"],
    [
      /^(?:AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken)/,
      [401, 403],
      "denied",
    ],
  ];

/** Errors of the service that are transient, whatever their status. */
const TRANSIENT =
  /^(?:SlowDown|Throttl|RequestLimitExceeded|InternalError|ServiceUnavailable|RequestTimeout|RequestTimeTooSkewed|BadDigest|IncompleteBody|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|ConditionalRequestConflict|OperationAborted)/;

/** Codes of network errors; other system errors concern files. */
const NETWORK =
  /^(?:ECONN|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EAI_|EHOST|ENET|EPROTO$|EADDRNOTAVAIL$|HPE_|UND_|ERR_STREAM_PREMATURE_CLOSE$)/;

/** Returns the text and the reason of an error of the SDK or the network, null for other errors. Without a reason: retry. */
function failureOf(
  error: unknown,
): { text: string; reason: Reason | null } | null {
  const thrown = (error ?? {}) as Error & {
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const { name = "", code = "", message = "" } = thrown;
  const status = thrown.$metadata?.httpStatusCode;
  const transient = (text: string) => ({ text, reason: null });
  if (error instanceof BadTransfer) return transient(message);
  const [, , reason = "other"] =
    REASONS.find(([names]) => names.test(name)) ??
    REASONS.find(([, statuses]) => statuses.includes(status ?? 0)) ??
    [];
  if (reason === "credentials") return { text: "no credentials", reason };
  // Names in another form could contain a secret from the request or the server.
  const word = /^[A-Za-z0-9]{1,60}$/.test(name) ? name : "an error";
  // The body of a success can contain an error or end early.
  if (status !== undefined && status < 300) return transient(word);
  if (status !== undefined) {
    const isBusy = status >= 500 && status !== 501 && status !== 505;
    const text = `${word} (status ${status})`;
    return TRANSIENT.test(name) || isBusy || [408, 409, 429].includes(status)
      ? transient(text)
      : { text, reason };
  }
  if (NETWORK.test(code)) return transient(code);
  if (/CERT|SSL|TLS/.test(code)) return { text: code, reason: "other" };
  if (/^(?:TimeoutError|AbortError)$/.test(name))
    return transient("no answer in time");
  return /^Checksum mismatch/.test(message)
    ? transient("wrong checksum")
    : null;
}

/** Returns the error of a request that is not retried. */
function errorFor(
  name: string,
  reason: Reason,
  text: string,
  cause: unknown,
): SoftjacError {
  const Cause = reason === "condition" ? ReplacedError : Refusal;
  const options = { cause: new Cause(reason, { cause }) };
  const failed = (what: string) => new IoError(name, what, options);
  switch (reason) {
    case "no bucket":
      return new InputMissingError(name, options, `${name}: no such bucket`);
    case "no object":
    case "no upload":
      return new InputMissingError(name, options, `${name}: no such object`);
    case "denied":
      return new PermissionError(name, `access denied: ${text}`, options);
    case "credentials":
      return new ConfigurationError(
        `${name}: no AWS credentials in the environment, a profile or a role`,
        options,
      );
    case "condition":
      return failed("the object was replaced while it was in use");
    case "other":
      return failed(`the object store returned an unexpected answer: ${text}`);
  }
}

class Refusal extends Error {}

/** Returns whether a store refused a request for `reason`. */
export function isRefused(error: unknown, reason: Reason): boolean {
  const { cause } = (error ?? {}) as Error;
  return (
    (cause instanceof Refusal || cause instanceof ReplacedError) &&
    cause.message === reason
  );
}
