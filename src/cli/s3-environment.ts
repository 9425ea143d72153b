/**
 * Where S3 is, as the environment has it for every tool: the SDK would ask it for the server, and not know that its
 * buckets are parts of the path.
 */
export function s3Environment<Options extends object>(
  given: Options,
): Options & { endpoint?: string } {
  const { env } = process;
  // Its advice about the next Node would stand among the lines of the log.
  env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  return endpoint ? { endpoint, ...given } : given;
}
