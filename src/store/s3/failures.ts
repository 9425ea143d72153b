import {
  ConfigurationError,
  InputMissingError,
  IoError,
  PermissionError,
  type SoftjacError,
} from "../../errors.js";

/** What a store says no for, so that asking again does not help. */
export type Reason =
  | "condition"
  | "no object"
  | "no bucket"
  | "no upload"
  | "denied"
  | "credentials"
  | "other";

/** A request that has failed. */
export interface Failure {
  /** The same request may do better. */
  passes: boolean;
  reason: Reason;
  /** What was found, without anything of the request. */
  text: string;
}

/** An answer ended before its length, or has other bytes than it says. */
export class CutAnswer extends Error {}

/** No byte came for so long. */
export class NoAnswer extends Error {}

/** Errors of a service that pass, whatever their status. */
const PASSING =
  /^(?:SlowDown|Throttl|RequestLimitExceeded|InternalError|ServiceUnavailable|RequestTimeout|RequestTimeTooSkewed|BadDigest|IncompleteBody|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|ConditionalRequestConflict|OperationAborted)/;

/** Errors of the network; others of the system are those of files. */
const NETWORK =
  /^(?:ECONN|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EAI_|EHOST|ENET|EPROTO$|EADDRNOTAVAIL$|HPE_|UND_|ERR_STREAM_PREMATURE_CLOSE$)/;

const REASONS: readonly [pattern: RegExp, reason: Reason][] = [
  [/^PreconditionFailed$/, "condition"],
  [/^NoSuchBucket$/, "no bucket"],
  [/^NoSuchUpload$/, "no upload"],
  [/^(?:NoSuchKey|NotFound)$/, "no object"],
  [/^(?:CredentialsProviderError|TokenProviderError)$/, "credentials"],
  [
    /^(?:AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken)/,
    "denied",
  ],
];

/** What an error of the SDK, or of the network below it, is; null: of neither. */
export function failureOf(error: unknown): Failure | null {
  const {
    name = "",
    code,
    message = "",
  } = (error ?? {}) as Error & {
    code?: string;
  };
  if (error instanceof CutAnswer || error instanceof NoAnswer)
    return { passes: true, reason: "other", text: message };
  const status = statusOf(error);
  const reason = REASONS.find(([pattern]) => pattern.test(name))?.[1];
  if (reason === "credentials")
    return { passes: false, reason, text: "no credentials" };
  if (status !== undefined && status >= 300) {
    const text = `${word(name)} (status ${status})`;
    const isBusy = status >= 500 && status !== 501 && status !== 505;
    if (PASSING.test(name) || isBusy || [408, 409, 429].includes(status))
      return { passes: true, reason: "other", text };
    return { passes: false, reason: reason ?? reasonOf(status), text };
  }
  // A success with an error in its body, or with one that ends too early.
  if (status !== undefined)
    return { passes: true, reason: "other", text: word(name) };
  if (typeof code === "string" && NETWORK.test(code))
    return { passes: true, reason: "other", text: code };
  if (typeof code === "string" && /CERT|SSL|TLS/.test(code))
    return { passes: false, reason: "other", text: code };
  if (/^(?:TimeoutError|AbortError)$/.test(name))
    return { passes: true, reason: "other", text: "no answer in time" };
  if (/^Checksum mismatch/.test(message))
    return { passes: true, reason: "other", text: "wrong checksum" };
  return null;
}

/** An error of ours for a request about `name` that is not made again. */
export function refusal(
  name: string,
  { reason, text }: Failure,
  cause: unknown,
): SoftjacError {
  const refused = new Refused(reason, cause);
  const options = { cause: refused };
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

/** Why a store said no; null: it did not. */
export function refusedFor(error: unknown): Reason | null {
  const { cause } = (error ?? {}) as Error;
  return cause instanceof Refused ? cause.reason : null;
}

class Refused extends Error {
  constructor(
    readonly reason: Reason,
    cause: unknown,
  ) {
    super(reason, { cause });
  }
}

function statusOf(error: unknown): number | undefined {
  const { $metadata } = (error ?? {}) as {
    $metadata?: { httpStatusCode?: number };
  };
  return $metadata?.httpStatusCode;
}

/** Answers to HEAD have no body that says more. */
function reasonOf(status: number): Reason {
  if (status === 412 || status === 304) return "condition";
  if (status === 404) return "no object";
  if (status === 401 || status === 403) return "denied";
  return "other";
}

/** The name of an error and nothing that a server, or the request, could have put there. */
function word(name: string): string {
  return /^[A-Za-z0-9]{1,60}$/.test(name) ? name : "an error";
}
