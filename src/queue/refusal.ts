import { SoftjacError } from "../errors.js";

/** A job is not one that this worker does: of another version, out of bounds, or none of ours. */
export class JobRefusedError extends SoftjacError {
  readonly code = "ERR_JOB_REFUSED";
}
