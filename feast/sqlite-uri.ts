import { resolve } from 'node:path';

/**
 * Absolute path of the file of an SQLAlchemy URI for SQLite: `sqlite:///relative.db`, `sqlite:////absolute.db`, with or
 * without a driver's name. Undefined for another database, and for one in memory.
 */
export function sqliteFile(uri: string, folder: string): string | undefined {
  const path = /^sqlite(?:\+\w+)?:\/\/\/([^?]+)/.exec(uri)?.[1];
  return path === undefined || path === ':memory:' ? undefined : resolve(folder, path);
}
