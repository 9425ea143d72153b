import { expect } from "vitest";

/** Expects that a call fails with an error of this code and message; `more` are other properties of the error. */
export async function refused(
  call: Promise<unknown>,
  code: string,
  message: string | RegExp = /./,
  more: object = {},
): Promise<void> {
  const text =
    typeof message === "string" ? message : expect.stringMatching(message);
  await expect(call).rejects.toMatchObject({ code, message: text, ...more });
}
