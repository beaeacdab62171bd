import { Option } from 'commander';

/** Formats in which rows can be written. */
export const ROW_FORMATS = ['jsonl', 'json', 'csv', 'parquet', 'arrow'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** `--format`, for commands that print rows. */
export function formatOption(): Option {
  return new Option(
    '--format <format>',
    'format of the rows (default: jsonl, or what the extension of --out says)',
  ).choices(ROW_FORMATS);
}
