import { MoraineError } from '../../errors/index.js';

/** Codes that are kept as they are; whatever else fails while a file is read means that the file is damaged. */
const KEPT_CODES: ReadonlySet<string> = new Set([
  'MANIFEST_CORRUPT',
  'LIMIT_EXCEEDED',
  'UNSUPPORTED_FEATURE',
  'FORMAT_VERSION_UNSUPPORTED',
]);

/** Runs a reader so that whatever fails names the file: `MANIFEST_CORRUPT` unless the error says better. */
export function inFile<T>(location: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const kept = error instanceof MoraineError && KEPT_CODES.has(error.code);
    throw new MoraineError(kept ? error.code : 'MANIFEST_CORRUPT', `Cannot read ${location}: ${reason(error)}`, {
      details: { ...(kept ? error.details : {}), location },
      cause: error,
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
