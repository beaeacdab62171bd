/** What a check of `moraine doctor` found. */
export interface Finding {
  readonly detail: string;
  readonly warning?: string;
}
