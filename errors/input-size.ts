/** Characters of JSON in an input. A server accepts two megabytes, but a run passes its input on, beside other values and to its next execution. */
const MAX_INPUT_CHARS = 65_536;

/**
 * The fault in the size of a workflow's input; null: none. Whoever sends one that is too large for the server is refused by it, or, if
 * a step is to take it once more, waits for a workflow task that fails again and again.
 */
export function inputTooLarge(workflow: string, input: unknown): string | null {
  const { length } = JSON.stringify(input ?? null);
  if (length <= MAX_INPUT_CHARS) return null;
  return `The input of ${workflow} has ${length} characters, and may have ${MAX_INPUT_CHARS}. Put long lists into a table and name that, or ask in parts.`;
}
