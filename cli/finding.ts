/** Finding of a check of `moraine doctor`. */
export interface Finding {
  readonly detail: string;
  readonly warning?: string;
}
