/** Statements of plain DuckDB over the files of parts of the online table: the floor of reads that have to decode one. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { parquetReader } from '../engine/index.js';
import { bindExpression, isUnpartitioned, parseExpression } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { localPathsOf } from '../scans/index.js';
import { loadTable, planFiles, selectSnapshot } from '../tables/index.js';
import { FEATURE_NAMES, ONLINE_VIEW } from './online-source.js';

/** What a part is decoded from. */
const COLUMNS = ['entity_id', 'event_timestamp', 'created_timestamp', ...FEATURE_NAMES].join(', ');

/** The files of an entity's bucket, as the table is now; without those without a partition, which reads of any bucket have decoded. */
async function bucketFiles(project: Project, entity: number): Promise<readonly string[]> {
  const table = await loadTable(await project.catalog(), project.io, {
    namespace: ['moraine_online'],
    name: ONLINE_VIEW,
  });
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const filter = bindExpression(parseExpression(`entity_id = ${entity}`), schema);
  const { files } = await planFiles(table, { schema, snapshot, filter });
  const own = files.filter(({ spec }) => !isUnpartitioned(spec));
  return localPathsOf(
    project.io,
    own.map(({ file }) => file.filePath),
  );
}

/** A warm DuckDB, with the files of some entities. */
export class PartStatements {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #files: ReadonlyMap<number, readonly string[]>;

  private constructor(
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    files: ReadonlyMap<number, readonly string[]>,
  ) {
    this.#instance = instance;
    this.#connection = connection;
    this.#files = files;
  }

  /** Every statement has been run once: the files, and what DuckDB keeps of them, are in memory. */
  static async warm(project: Project, entities: readonly number[]): Promise<PartStatements> {
    const files = new Map<number, readonly string[]>();
    for (const entity of entities) files.set(entity, await bucketFiles(project, entity));
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
    const connection = await instance.connect();
    await connection.run('SET parquet_metadata_cache = true');
    const statements = new PartStatements(instance, connection, files);
    for (const entity of entities) {
      await statements.readPart(entity);
      await statements.readEntity(entity);
    }
    return statements;
  }

  /** Reads the columns of all rows of the part of an entity; no value becomes one of JavaScript. @returns milliseconds */
  async readPart(entity: number): Promise<number> {
    return await this.#read(entity, '');
  }

  /** The same of the rows of the entity alone. */
  async readEntity(entity: number): Promise<number> {
    return await this.#read(entity, ` WHERE entity_id = ${entity}`);
  }

  async #read(entity: number, where: string): Promise<number> {
    const select = `SELECT ${COLUMNS} FROM ${parquetReader(this.#files.get(entity) ?? [])}${where}`;
    const began = performance.now();
    const result = await this.#connection.run(select);
    let rows = 0;
    for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk())
      rows += chunk.rowCount;
    if (rows === 0) throw new Error(`the files of entity ${entity} have no row`);
    return performance.now() - began;
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
