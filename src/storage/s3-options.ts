/** Options for s3:// locations. Credentials come from the default provider chain of the AWS SDK. */
export interface S3Options {
  /** URL of an S3 server other than AWS, which is addressed with path-style URLs; default: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL. */
  endpoint?: string | undefined;
  /** Region of the buckets; default: AWS_REGION, the region of the profile, or us-east-1. */
  region?: string | undefined;
}

export interface S3Access extends S3Options {
  /** Signal that aborts requests. */
  signal?: AbortSignal | undefined;
}
