import { ioError } from "../system-error.js";

/** Does work on a dataset; what the system says of the store becomes one of our errors. */
export async function onDataset<T>(
  output: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ioError(output, "could not be accessed", error);
  }
}
