/**
 * DuckDB's readers of files, called in this file alone (a lint rule holds the others back). By themselves they guess from paths: a folder
 * `COLUMN=VALUE` replaces the values of that column, an extension tells the compression, and `*`, `?` and `[` match other files. Here a
 * path only names a file: values come from its content, and nothing is guessed from where it lies.
 */
import { open } from 'node:fs/promises';
import { MoraineError } from '../../errors/index.js';
import { quoteLiteral } from '../sql/sql-text.js';

/**
 * Columns that `read_parquet` gives besides the file's own: its path, its place in the list, and the row's position. They are always there,
 * unless the file has a column of the same name and no `schema` option hides it; options of the same names fail for such files.
 */
export const READER_COLUMNS = { path: 'filename', place: 'file_index', position: 'file_row_number' } as const;

const READER_COLUMN_NAMES: ReadonlySet<string> = new Set(Object.values(READER_COLUMNS));

/** Whether a file's column hides one of the {@link READER_COLUMNS} from a statement that reads the file under its own names. */
export const hidesReaderColumn = (name: string): boolean => READER_COLUMN_NAMES.has(name.toLowerCase());

const NO_GUESSES = 'hive_partitioning = false';

/** Of other writers the statistics of floating-point columns leave NaN out: taken for all values, they let NaN pass `x < 10` unseen. */
const NAN_BESIDE_STATISTICS = 'can_have_nan = true';

/**
 * A relation of the rows of Parquet files, one file after another.
 * @param schemaSql a MAP from field id, or from a column's name, to `{name, type, default_value}`; by default the columns are the file's
 */
export function parquetReader(paths: readonly string[], schemaSql?: string): string {
  const schema = schemaSql === undefined ? '' : `, schema = ${schemaSql}`;
  return `read_parquet(${quotePaths(paths)}, ${NO_GUESSES}, ${NAN_BESIDE_STATISTICS}${schema})`;
}

/** A relation of the nodes of the schemas that Parquet files have. */
export function parquetSchemaReader(paths: readonly string[]): string {
  return `parquet_schema(${quotePaths(paths)})`;
}

/** Compression of a text file. */
export type TextCompression = 'gzip' | 'uncompressed';

/** A text file to read. */
export interface TextFile {
  readonly path: string;
  readonly compression: TextCompression;
}

const GZIP_MAGIC = Buffer.of(0x1f, 0x8b);

/** Looks at the first bytes of a text file, which tell its compression. Throws what the file system throws. */
export async function openTextFile(path: string): Promise<TextFile> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(GZIP_MAGIC.length), 0, GZIP_MAGIC.length, 0);
    const isGzip = bytesRead === GZIP_MAGIC.length && buffer.equals(GZIP_MAGIC);
    return { path, compression: isGzip ? 'gzip' : 'uncompressed' };
  } finally {
    await file.close();
  }
}

/** A relation of the rows of a CSV file. @param options of `read_csv`, all that would be guessed from the data included */
export function csvReader(file: TextFile, options: readonly string[]): string {
  return `read_csv(${textArguments(file, ['auto_detect = false', ...options])})`;
}

/** A relation of one row: `content`, a file's UTF-8 text. */
export function textReader(path: string): string {
  return `read_text(${quotePath(path)})`;
}

/** A relation of the objects of a JSON Lines file, or of a file of one array. */
export function jsonReader(file: TextFile, options: readonly string[]): string {
  return `read_json(${textArguments(file, options)})`;
}

/** A relation of the objects of such a file as texts: one column, `json`. */
export function jsonObjectsReader(file: TextFile): string {
  return `read_json_objects(${textArguments(file, [])})`;
}

function textArguments({ path, compression }: TextFile, options: readonly string[]): string {
  return [quotePath(path), NO_GUESSES, `compression = '${compression}'`, ...options].join(', ');
}

function quotePaths(paths: readonly string[]): string {
  return `[${paths.map(quotePath).join(', ')}]`;
}

function quotePath(path: string): string {
  return quoteLiteral(escapeGlob(path));
}

/**
 * A path as a glob that only it matches, as readers and the engine's lists of allowed paths want it; writers take paths as they are.
 * @throws INVALID_ARGUMENT for a path that cannot be written as such a glob
 */
export function escapeGlob(path: string): string {
  const escaped = path.replaceAll(/[*?[]/g, (character) => `[${character}]`);
  if (escaped === path || !path.includes('\\')) return escaped;
  // In a glob DuckDB takes a backslash for a slash, so it would open another file.
  const message = `${path} cannot be read: it has a backslash, and one of the characters * ? [. Rename the file or its folder.`;
  throw new MoraineError('INVALID_ARGUMENT', message, { details: { path } });
}
