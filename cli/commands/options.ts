import { type Command, InvalidArgumentError, Option } from 'commander';

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

/** `--engine`, for commands that read sources. */
export function engineOption(): Option {
  return new Option(
    '--engine <engine>',
    'who reduces the source rows to those that may win (default: as the view and engine.type say)',
  ).choices(['duckdb', 'trino', 'auto']);
}

/** `--json`, for commands that print rows. */
export function summaryOption(): Option {
  return new Option(
    '--json',
    'print what was read (snapshots, files, requests to object stores) as a line of JSON on standard error',
  );
}

/** Collects an option that may be given several times. */
export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Reads an option `NAME=VALUE` that may be given several times, when the command line is read. @param form what it looks like */
export function assigned(
  form: string,
): (text: string, before: Readonly<Record<string, string>> | undefined) => Readonly<Record<string, string>> {
  return (text, before = {}) => {
    const at = text.indexOf('=');
    const name = text.slice(0, at);
    if (at < 1 || at === text.length - 1) throw new InvalidArgumentError(`It must be ${form}.`);
    if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
    return { ...before, [name]: text.slice(at + 1) };
  };
}

/** `--table`, for commands that take SQL. */
export function tableOption(): Option {
  return new Option(
    '--table <name=table>',
    'a table that the SQL reads by this name; those of the SQL written as NAMESPACE.TABLE need none; may be given several times',
  ).argParser(repeated);
}

/** Options that say at which state tables are read. */
export function addAsOfOptions(command: Command): Command {
  return command
    .option('--as-of <time>', 'read the tables as they were at this time')
    .option('--ref <name>', 'read the tables of features at this tag or branch')
    .addOption(
      new Option(
        '--snapshot <table=id>',
        'read this table at a snapshot, others as they are; may be given several times',
      ).argParser(repeated),
    );
}

/** Reads an option or argument that is a whole number, when the command line is read. */
export function wholeNumber(least: number, most?: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= (most ?? value)) return value;
    throw new InvalidArgumentError(
      `It must be a whole number ${most === undefined ? `from ${least} on` : `from ${least} to ${most}`}.`,
    );
  };
}
