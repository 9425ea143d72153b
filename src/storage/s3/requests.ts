import { setTimeout as delay } from "node:timers/promises";
import {
  AbortedError,
  ConfigurationError,
  InputMissingError,
  IoError,
  PermissionError,
  ServiceUnavailableError,
  type SoftjacError,
} from "../../errors.js";
import { ReplacedError } from "../store.js";

// The SDK repeats requests, but not the reading of their answers; one loop here does both, and the SDK sends each request
// once.

/** Attempts per request: with the pauses between them, about 10 s of a store that refuses everything. */
const ATTEMPTS = 8;
const MAX_PAUSE_MS = 10_000;

/** Time without progress, pauses between attempts, and the slowest useful connection. */
const PACE = {
  // Stores answer within milliseconds; one that is being restarted, within a minute.
  timeoutMs: 60_000,
  firstPauseMs: 100,
  minBytesPerMs: 256,
};

export interface Attempt {
  /** Aborted if no data came for too long, or the request is stopped. */
  signal: AbortSignal;
  /** Restarts the time-out: data has come. */
  alive: () => void;
}

export interface RequestOptions {
  /** Bytes that the request sends, which extend its time-out. */
  bytes?: number;
  /** Ends the request and the pauses between attempts. */
  stop?: AbortSignal | undefined;
}

/** Makes requests, and repeats those that may succeed later. */
export class Requests {
  constructor(private readonly pace = PACE) {}

  /**
   * @param name object or prefix of the request, for messages
   * @throws AbortedError once `stop` is aborted; ServiceUnavailableError if every attempt failed; else an error with a
   * Refusal as its cause
   */
  async make<T>(
    name: string,
    attempt: (of: Attempt) => Promise<T>,
    { bytes = 0, stop }: RequestOptions = {},
  ): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      if (stop?.aborted) throw new AbortedError({ cause: stop.reason });
      try {
        return await this.#once(attempt, bytes, stop);
      } catch (error) {
        if (stop?.aborted) throw new AbortedError({ cause: stop.reason });
        const failure = failureOf(error);
        if (!failure) throw error;
        const { reason, text } = failure;
        if (reason) throw errorFor(name, reason, text, error);
        if (attempts === ATTEMPTS)
          throw new ServiceUnavailableError(
            name,
            `the request failed ${ATTEMPTS} times: ${text}`,
            { cause: error },
          );
        await this.#pause(attempts, stop);
      }
    }
  }

  async #once<T>(
    attempt: (of: Attempt) => Promise<T>,
    bytes: number,
    stop: AbortSignal | undefined,
  ): Promise<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const limit = this.pace.timeoutMs + bytes / this.pace.minBytesPerMs;
    const timer = setTimeout(
      () =>
        controller.abort(new BadTransfer(`no data within ${limit / 1000} s`)),
      limit,
    );
    const stopped = () => controller.abort(stop?.reason);
    stop?.addEventListener("abort", stopped);
    // Attempts may not listen to the signal.
    const abandoned = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    const answer = attempt({ signal, alive: () => timer.refresh() });
    answer.catch(() => {});
    try {
      return await Promise.race([answer, abandoned]);
    } finally {
      clearTimeout(timer);
      stop?.removeEventListener("abort", stopped);
    }
  }

  /** Pauses twice as long each time, with jitter, so that processes that failed together do not retry together. */
  async #pause(attempts: number, stop: AbortSignal | undefined): Promise<void> {
    const ms = Math.min(
      MAX_PAUSE_MS,
      this.pace.firstPauseMs * 2 ** (attempts - 1),
    );
    await delay(ms * (0.5 + Math.random() / 2), undefined, {
      signal: stop,
    }).catch(() => {});
  }
}

/** An answer ended early, did not come, or has other bytes than it says; the request is repeated. */
export class BadTransfer extends Error {}

/** Why a store refused a request, so that repeating it does not help. */
export type Reason =
  | "condition"
  | "no object"
  | "no bucket"
  | "no upload"
  | "denied"
  | "credentials"
  | "other";

/** Reasons by name of the error; by status for answers to HEAD, which have no body. */
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

/** Errors of the service that pass, whatever their status. */
const PASSING =
  /^(?:SlowDown|Throttl|RequestLimitExceeded|InternalError|ServiceUnavailable|RequestTimeout|RequestTimeTooSkewed|BadDigest|IncompleteBody|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|ConditionalRequestConflict|OperationAborted)/;

/** Errors of the network; other system errors are about files. */
const NETWORK =
  /^(?:ECONN|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EAI_|EHOST|ENET|EPROTO$|EADDRNOTAVAIL$|HPE_|UND_|ERR_STREAM_PREMATURE_CLOSE$)/;

/** Returns the text and the reason of an error of the SDK or the network (no reason: it may pass); null for other errors. */
function failureOf(
  error: unknown,
): { text: string; reason: Reason | null } | null {
  const {
    name = "",
    code = "",
    message = "",
    $metadata,
  } = (error ?? {}) as Error & {
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const passes = (text: string) => ({ text, reason: null });
  if (error instanceof BadTransfer) return passes(message);
  const [, , reason = "other"] =
    REASONS.find(([names]) => names.test(name)) ??
    REASONS.find(([, of]) => of.includes($metadata?.httpStatusCode ?? 0)) ??
    [];
  if (reason === "credentials") return { text: "no credentials", reason };
  const status = $metadata?.httpStatusCode;
  // Only a name that neither the server nor the request can have put a secret in.
  const word = /^[A-Za-z0-9]{1,60}$/.test(name) ? name : "an error";
  // A success whose body has an error or ends early.
  if (status !== undefined && status < 300) return passes(word);
  if (status !== undefined) {
    const isBusy = status >= 500 && status !== 501 && status !== 505;
    const text = `${word} (status ${status})`;
    return PASSING.test(name) || isBusy || [408, 409, 429].includes(status)
      ? passes(text)
      : { text, reason };
  }
  if (NETWORK.test(code)) return passes(code);
  if (/CERT|SSL|TLS/.test(code)) return { text: code, reason: "other" };
  if (/^(?:TimeoutError|AbortError)$/.test(name))
    return passes("no answer in time");
  return /^Checksum mismatch/.test(message) ? passes("wrong checksum") : null;
}

/** Returns the error of a request that is not repeated. */
function errorFor(
  name: string,
  reason: Reason,
  text: string,
  cause: unknown,
): SoftjacError {
  const options = {
    cause:
      reason === "condition"
        ? new ReplacedError(reason, { cause })
        : new Refusal(reason, { cause }),
  };
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
      return new IoError(
        name,
        "the object was replaced while it was in use",
        options,
      );
    case "other":
      return new IoError(
        name,
        `the object store returned an unexpected answer: ${text}`,
        options,
      );
  }
}

class Refusal extends Error {}

/** Whether a store refused a request for a reason. */
export function isRefused(error: unknown, reason: Reason): boolean {
  const { cause } = (error ?? {}) as Error;
  return (
    (cause instanceof Refusal || cause instanceof ReplacedError) &&
    cause.message === reason
  );
}
