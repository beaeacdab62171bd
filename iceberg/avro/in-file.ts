import { type ErrorCode, MoraineError } from '../../errors/index.js';

/** Codes that are kept as they are; whatever else fails while a file is read means that the file is damaged. */
const KEPT_CODES: ReadonlySet<string> = new Set([
  'MANIFEST_CORRUPT',
  'LIMIT_EXCEEDED',
  'UNSUPPORTED_FEATURE',
  'FORMAT_VERSION_UNSUPPORTED',
  'STORAGE_UNAVAILABLE',
]);

/** The error of reading a file, named: of the code `damaged` unless it says better. */
export function errorInFile(location: string, error: unknown, damaged: ErrorCode): MoraineError {
  const kept = error instanceof MoraineError && KEPT_CODES.has(error.code) && !isOther(error.code, damaged);
  const name = damaged === 'MANIFEST_CORRUPT' ? { location } : { path: location };
  return new MoraineError(kept ? error.code : damaged, `Cannot read ${location}: ${reason(error)}`, {
    details: { ...(kept ? error.details : {}), ...name },
    cause: error,
  });
}

/** Readers of Avro call whatever is damaged a manifest. */
const isOther = (code: ErrorCode, damaged: ErrorCode): boolean => code === 'MANIFEST_CORRUPT' && code !== damaged;

/** Runs a reader so that whatever fails names the file: `MANIFEST_CORRUPT` unless the error says better. */
export function inFile<T>(location: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw errorInFile(location, error, 'MANIFEST_CORRUPT');
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
