/** Error texts of DuckDB, and of the system where the engine makes folders and files beside it, sorted once into the error table. */
import { type ErrorCode, MoraineError } from '../errors/index.js';
import { LATE_TIME } from './sql/late-times.js';

/** The first quoted absolute path in a message: DuckDB names files so. */
const PATH = /["'](\/[^"'\n]+)["']/;

interface Rule {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly say: (path: string) => string;
}

/** The first rule that fits wins: the causes outside a file come before what they make of it. */
const RULES: readonly Rule[] = [
  {
    pattern: /^INTERRUPT|Interrupted!/,
    code: 'CANCELLED',
    say: () => 'The query was cancelled.',
  },
  {
    pattern: /max_temp_directory_size|failed to offload data block/,
    code: 'ENGINE_OUT_OF_MEMORY',
    say: () =>
      'The query needed more temporary disk than the engine may use, sixteen times engine.memoryLimit. Raise that, or free disk.',
  },
  {
    pattern: /^Out of Memory Error|bad_alloc|could not allocate/i,
    code: 'ENGINE_OUT_OF_MEMORY',
    say: () => 'The query needed more memory than the engine may use. Raise engine.memoryLimit.',
  },
  {
    pattern: /No space left on device|Disk quota exceeded/i,
    code: 'STORAGE_UNAVAILABLE',
    say: (path) => `The disk is full${at(path)}. Free space and try again.`,
  },
  {
    pattern: /File too large/i,
    code: 'STORAGE_UNAVAILABLE',
    say: (path) => `A file became larger than the system allows${at(path)}. Raise its limit (ulimit -f) and try again.`,
  },
  {
    pattern: /Too many open files/i,
    code: 'STORAGE_UNAVAILABLE',
    say: (path) => `The process has too many open files${at(path)}. Raise its limit (ulimit -n) and try again.`,
  },
  {
    pattern: /Read-only file system/i,
    code: 'STORAGE_UNAVAILABLE',
    say: (path) => `The file system is read-only${at(path)}.`,
  },
  {
    pattern: /^(IO Error|EACCES|EPERM): .*(Permission denied|not permitted)/i,
    code: 'STORAGE_UNAVAILABLE',
    say: (path) => `Access was denied by the file system${at(path)}.`,
  },
  {
    pattern: /^Permission Error: Cannot access/,
    code: 'LOCATION_REFUSED',
    say: (path) => `The engine may not open a file outside the storage roots${at(path)}.`,
  },
  {
    pattern: /No files found that match|No such file or directory/,
    code: 'FILE_NOT_FOUND',
    say: (path) => `The file does not exist${at(path)}.`,
  },
  {
    pattern:
      /magic bytes|too small to be a Parquet|Footer length|Failed to read file|don't know what type|[Tt]hrift|TProtocol|decompression failure|[Cc]orrupt|Invalid Error|Malformed|out of buffer|Parquet|parquet/,
    code: 'DATA_FILE_CORRUPT',
    say: (path) => `A data file is damaged${at(path)}: it cannot be read as Parquet.`,
  },
  {
    pattern: /^IO Error/,
    code: 'STORAGE_UNAVAILABLE',
    say: (path) => `Storage failed${at(path)}.`,
  },
  {
    pattern: /^(Conversion|Out of Range) Error/,
    code: 'TYPE_MISMATCH',
    say: () => 'A value does not fit the type of its column.',
  },
];

const at = (path: string): string => (path === '' ? '' : `: ${path}`);

/**
 * Makes a {@link MoraineError} of what DuckDB, or a call of the file system, threw. The message names the file where DuckDB does, and never
 * carries SQL text (which holds users' literals); the original error is its `cause`.
 * @param nameOf the file that a path stands for
 */
export function classifyDuckDbError(error: unknown, nameOf: (path: string) => string = (path) => path): MoraineError {
  if (error instanceof MoraineError) return error;
  const text = error instanceof Error ? error.message : String(error);
  // DuckDB appends "LINE 1: <statement>": nothing of that may decide or leak.
  const reason = text.split(/\n\s*\nLINE \d+:/)[0] ?? text;
  const late = LATE_TIME.exec(reason)?.[1];
  if (late !== undefined) return new MoraineError('TYPE_MISMATCH', late, { cause: error });
  const path = nameOf(PATH.exec(reason)?.[1] ?? '');
  const rule = RULES.find((candidate) => candidate.pattern.test(reason));
  if (rule === undefined) {
    return new MoraineError('INTERNAL', 'The query engine refused a statement that Moraine wrote.', { cause: error });
  }
  return new MoraineError(rule.code, rule.say(path), {
    cause: error,
    ...(path === '' ? {} : { details: { path } }),
  });
}
