/** A number of things as words, in messages and reports: `1 file`, `2 files`. */
export function counted(count: number | bigint | string, noun: string): string {
  return `${count} ${noun}${String(count) === '1' ? '' : 's'}`;
}
