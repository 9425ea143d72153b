/** How the dataset of a run comes to stand under its name, while other processes of the same run, or of another, do the same. */
export interface Publication {
  /** The run's files are put where they stay: nothing is renamed. */
  readonly isInPlace: boolean;
  /** Whether the dataset is there, complete, and of this run. */
  isPublished(): Promise<boolean>;
  /**
   * A dataset is replaced where that is asked for; nothing else ever is.
   * @throws OutputExistsError where something is there that stays
   */
  refuseOther(options: { overwrite: boolean }): Promise<void>;
  /** Makes the place where the run's files go; nothing where it is there. */
  makePlace(): Promise<void>;
  /** Puts the run's plan in its place. @throws MissingFolder, OutputExistsError */
  putPlan(plan: Uint8Array): Promise<void>;
  /**
   * Makes sure that the place is still the run's, no link to another, and can take a file.
   * @throws MissingFolder, OutputExistsError, ConfigurationError
   */
  checkPlace(file?: string): Promise<void>;
  /**
   * Publishes the run's files, which are complete.
   * @param success what says so
   * @throws OutputExistsError where another dataset is there, unless that is replaced
   */
  put(success: Uint8Array, options: { overwrite: boolean }): Promise<void>;
  /** Finds again what a process of this run had in its hands when it died. Whether that is the dataset. */
  takeBack(): Promise<boolean>;
  /** Removes what was for the way, once the dataset is there. */
  clearUp(): Promise<void>;
}
