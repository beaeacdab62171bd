/** SQL catalogs: one row per table, with the table and column names of Java's JdbcCatalog and PyIceberg, which open the same database. */
import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { makeFolders } from '../../processes/index.js';
import type { Catalog } from '../catalog.js';
import { PointerCatalog, type PointerCatalogOptions } from '../pointer-catalog.js';
import { isPostgresUri, PostgresDriver, postgresDatabase } from './postgres-driver.js';
import { prepareSqlSchema } from './sql-schema.js';
import { SqlStore, sqlFailure } from './sql-store.js';
import { SqliteDriver } from './sqlite-driver.js';

export interface SqlCatalogOptions extends PointerCatalogOptions {
  /** `sqlite:////absolute.db`, `sqlite:///relative.db` (as SQLAlchemy writes them), or a path; or `postgresql://user:password@host/database`. */
  readonly uri: string;
  /** How long a lock of another process is waited for; 10 s by default. */
  readonly busyTimeoutMs?: number;
}

/** The absolute path of the file that a `uri` of {@link SqlCatalogOptions} means; null: its database is a server's. */
export function databaseFile(uri: string): string | null {
  return isPostgresUri(uri) ? null : resolve(uri.startsWith('sqlite:///') ? uri.slice('sqlite:///'.length) : uri);
}

/** The database of a `uri`, as people may see it: without user and password. */
export function shownDatabase(uri: string): string {
  return databaseFile(uri) ?? postgresDatabase(uri);
}

/** Opens, and if need be creates, a SQL catalog. `CATALOG_UNAVAILABLE` if that fails. */
export async function openSqlCatalog(options: SqlCatalogOptions): Promise<Catalog> {
  const path = databaseFile(options.uri);
  if (path === null) return await openOnPostgres(options);
  const { busyTimeoutMs } = options;
  const driver = new SqliteDriver(path, busyTimeoutMs === undefined ? {} : { busyTimeoutMs });
  try {
    await makeFolders(dirname(path));
    const version = await prepareSqlSchema(driver);
    return new PointerCatalog(options, new SqlStore(driver, await realpath(path), options.name, version));
  } catch (error) {
    throw openFailure(error, path);
  }
}

async function openOnPostgres(options: SqlCatalogOptions): Promise<Catalog> {
  const driver = new PostgresDriver(options.uri);
  const database = postgresDatabase(options.uri);
  try {
    const version = await prepareSqlSchema(driver);
    return new PointerCatalog(options, new SqlStore(driver, database, options.name, version));
  } catch (error) {
    await driver.close();
    throw openFailure(error, database);
  }
}

function openFailure(error: unknown, path: string): unknown {
  const failure = sqlFailure(error, 'read');
  if (isMoraineError(failure)) return failure;
  const reason = error instanceof Error ? error.message : String(error);
  return new MoraineError('CATALOG_UNAVAILABLE', `The SQL catalog ${path} cannot be opened: ${reason}.`, {
    cause: error,
  });
}
