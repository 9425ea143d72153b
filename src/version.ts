import manifest from "../package.json" with { type: "json" };

/** Version of softjac. */
export const VERSION: string = manifest.version;
