/** The rows of the SQL catalog: every statement it runs, and what its failures mean. */
import { MoraineError } from '../../errors/index.js';
import { comparableLocation } from '../../locations/index.js';
import type { CatalogStore, PointerSwap, StoreNames, TableKey, TablePointer } from '../catalog-store.js';
import { checkName, checkNamespace } from '../names.js';
import { type SqlDriver, SqlError, type SqlParameter, type SqlStatement } from './sql-driver.js';

/** Levels are joined with dots. */
export const SQL_NAMES: StoreNames = {
  namespaceKey: (levels) => {
    checkNamespace(levels);
    for (const level of levels) {
      if (!level.includes('.')) continue;
      const message = `Namespace ${JSON.stringify(level)} contains a dot, which a SQL catalog uses to separate levels.`;
      throw new MoraineError('INVALID_ARGUMENT', message);
    }
    return levels.join('.');
  },
  levels: (namespaceKey) => namespaceKey.split('.'),
  checkTable: (name) => checkName('Table name', name),
};

/** Property that PyIceberg stores for a namespace without properties. */
const NAMESPACE_MARKER: ReadonlyMap<string, string> = new Map([['exists', 'true']]);

const KEY = 'catalog_name = ? AND table_namespace = ? AND table_name = ?';
// A namespace exists if it, or one below it, has properties or tables. `substr` compares case, LIKE would not.
const WITHIN = (column: string) => `(${column} = ? OR substr(${column}, 1, ?) = ?)`;

export class SqlStore implements CatalogStore {
  readonly database: string;
  readonly catalog: string;
  readonly names = SQL_NAMES;
  readonly #driver: SqlDriver;
  readonly #version: 'V0' | 'V1';
  /** Excludes views, which share the table, where rows have a type. */
  readonly #isTable: string;
  readonly #hasType: boolean;

  constructor(driver: SqlDriver, database: string, catalog: string, version: 'V0' | 'V1') {
    this.database = database;
    this.catalog = catalog;
    this.#driver = driver;
    this.#version = version;
    this.#hasType = version === 'V1';
    this.#isTable = this.#hasType ? " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : '';
  }

  async metadataLocation(key: TableKey): Promise<string | null> {
    const sql = `SELECT metadata_location FROM iceberg_tables WHERE ${KEY}${this.#isTable}`;
    const [row] = await this.#query(sql, [this.catalog, key.namespace, key.name]);
    return row?.metadata_location ?? null;
  }

  async tableNames(namespace: string): Promise<readonly string[]> {
    const sql = `SELECT table_name FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?${this.#isTable}`;
    const rows = await this.#query(sql, [this.catalog, namespace]);
    // Databases order texts as their locale does.
    return rows.map((row) => row.table_name ?? '').sort();
  }

  async insertTable(key: TableKey, { metadataLocation }: TablePointer): Promise<boolean> {
    const type = this.#hasType ? [', iceberg_type', ", 'TABLE'"] : ['', ''];
    const sql = `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location${type[0]})
      VALUES (?, ?, ?, ?, NULL${type[1]})`;
    return this.#isUnique(this.#change(sql, [this.catalog, key.namespace, key.name, metadataLocation]));
  }

  async swapTable(key: TableKey, from: string, to: TablePointer): Promise<boolean> {
    const { sql, parameters } = this.#swap({ key, from, to });
    return (await this.#change(sql, parameters)) === 1;
  }

  async swapTables(swaps: readonly PointerSwap[]): Promise<boolean> {
    // Transactions that take their rows in one order do not wait for each other in a circle.
    const ordered = swaps.toSorted((a, b) => (textOf(a.key) < textOf(b.key) ? -1 : 1));
    try {
      return await this.#driver.executeAll(ordered.map((swap) => this.#swap(swap)));
    } catch (error) {
      throw sqlFailure(error, 'write');
    }
  }

  #swap({ key, from, to }: PointerSwap): SqlStatement {
    const sql = `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
      WHERE ${KEY}${this.#isTable} AND metadata_location = ?`;
    return { sql, parameters: [to.metadataLocation, from, this.catalog, key.namespace, key.name, from] };
  }

  async deleteTable(key: TableKey): Promise<boolean> {
    const sql = `DELETE FROM iceberg_tables WHERE ${KEY}${this.#isTable}`;
    return (await this.#change(sql, [this.catalog, key.namespace, key.name])) === 1;
  }

  async renameTable(from: TableKey, to: TableKey): Promise<boolean | null> {
    const sql = `UPDATE iceberg_tables SET table_namespace = ?, table_name = ? WHERE ${KEY}${this.#isTable}`;
    let found = false;
    const rename = this.#change(sql, [to.namespace, to.name, this.catalog, from.namespace, from.name]);
    const free = await this.#isUnique(
      rename.then((rows) => {
        found = rows === 1;
        return rows;
      }),
    );
    return free ? found : null;
  }

  async namespaceExists(namespace: string): Promise<boolean> {
    const below = `${namespace}.`;
    const within = [this.catalog, namespace, [...below].length, below];
    const sql = `SELECT 1 AS found FROM iceberg_namespace_properties WHERE catalog_name = ? AND ${WITHIN('namespace')}
      UNION ALL SELECT 1 FROM iceberg_tables WHERE catalog_name = ? AND ${WITHIN('table_namespace')} LIMIT 1`;
    return (await this.#query(sql, [...within, ...within])).length > 0;
  }

  async namespaces(): Promise<readonly string[]> {
    const sql = `SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?
      UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?`;
    return (await this.#query(sql, [this.catalog, this.catalog])).map((row) => row.namespace ?? '').sort();
  }

  async namespaceProperties(namespace: string): Promise<ReadonlyMap<string, string>> {
    const sql =
      'SELECT property_key, property_value FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?';
    const rows = await this.#query(sql, [this.catalog, namespace]);
    const properties = rows.map((row): [string, string] => [row.property_key ?? '', row.property_value ?? '']);
    return new Map(properties.filter(([key]) => !NAMESPACE_MARKER.has(key)));
  }

  async insertNamespace(namespace: string, properties: ReadonlyMap<string, string>): Promise<boolean> {
    const rows = [...NAMESPACE_MARKER, ...properties].map(([key, value]) => [this.catalog, namespace, key, value]);
    const sql = `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
      VALUES ${rows.map(() => '(?, ?, ?, ?)').join(', ')}`;
    return this.#isUnique(this.#change(sql, rows.flat()));
  }

  async deleteNamespace(namespace: string): Promise<boolean> {
    const below = `${namespace}.`;
    const belowLength = [...below].length;
    const sql = `DELETE FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?
      AND NOT EXISTS (SELECT 1 FROM iceberg_tables t WHERE t.catalog_name = ? AND ${WITHIN('t.table_namespace')})
      AND NOT EXISTS (SELECT 1 FROM iceberg_namespace_properties n WHERE n.catalog_name = ? AND substr(n.namespace, 1, ?) = ?)`;
    const tables = [this.catalog, namespace, belowLength, below];
    return (await this.#change(sql, [this.catalog, namespace, ...tables, this.catalog, belowLength, below])) > 0;
  }

  async siblings(): Promise<readonly CatalogStore[]> {
    const sql = 'SELECT DISTINCT catalog_name FROM iceberg_tables WHERE catalog_name <> ? ORDER BY 1';
    const rows = await this.#query(sql, [this.catalog]);
    return rows.map((row) => new SqlStore(this.#driver, this.database, row.catalog_name ?? '', this.#version));
  }

  async metadataLocations(): Promise<readonly string[]> {
    const rows = await this.#query('SELECT metadata_location FROM iceberg_tables', []);
    return rows.flatMap((row) => row.metadata_location ?? []);
  }

  async isFolderOfOther(key: TableKey, folder: string): Promise<boolean> {
    const prefixes = spellingsOf(`${folder}/`);
    const isBelow = prefixes.map(() => 'substr(metadata_location, 1, ?) = ?').join(' OR ');
    const sql = `SELECT 1 AS found FROM iceberg_tables WHERE NOT (${KEY}) AND (${isBelow}) LIMIT 1`;
    const below = prefixes.flatMap((prefix) => [[...prefix].length, prefix]);
    return (await this.#query(sql, [this.catalog, key.namespace, key.name, ...below])).length > 0;
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  async #query(sql: string, parameters: readonly SqlParameter[]) {
    try {
      return await this.#driver.query(sql, parameters);
    } catch (error) {
      throw sqlFailure(error, 'read');
    }
  }

  async #change(sql: string, parameters: readonly SqlParameter[]): Promise<number> {
    try {
      return await this.#driver.execute(sql, parameters);
    } catch (error) {
      throw sqlFailure(error, 'write');
    }
  }

  async #isUnique(change: Promise<unknown>): Promise<boolean> {
    try {
      await change;
      return true;
    } catch (error) {
      if (error instanceof SqlError) return false;
      throw error;
    }
  }
}

const textOf = ({ namespace, name }: TableKey): string => `${namespace}\0${name}`;

/** The forms in which engines write the location of a local file. */
const spellingsOf = (location: string): readonly string[] => {
  const path = comparableLocation(location) + (location.endsWith('/') ? '/' : '');
  return [path, `file:${path}`, `file://${path}`];
};

/** A unique violation stays a {@link SqlError}; the rest becomes what callers of a catalog see. */
export function sqlFailure(error: unknown, access: 'read' | 'write'): unknown {
  if (!(error instanceof SqlError) || error.failure === 'unique-violation') return error;
  const unknown = access === 'write' && error.failure === 'unknown';
  if (!unknown) {
    return new MoraineError('CATALOG_UNAVAILABLE', `The SQL catalog does not answer: ${error.message}.`, {
      cause: error,
    });
  }
  const message = `The SQL catalog did not say whether a change was applied: ${error.message}.`;
  return new MoraineError('COMMIT_STATE_UNKNOWN', message, { cause: error });
}
