/** Tables of the same data files of which some rows are deleted, as merge-on-read engines leave them. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { parquetReader, quoteLiteral } from '../engine/index.js';
import { currentSchema, currentSnapshot, type DataFile } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { dataFolder } from '../staging/index.js';
import { commitAppend, loadTable, planFiles } from '../tables/index.js';
import { DeleteWriter } from '../test/support/delete-writer.js';

/** Reserved field ids of position-delete files. */
const FIELD_IDS = '{file_path: 2147483546, pos: 2147483545}';
/** Data files whose deletes are in one file. */
const DATA_FILES_PER_DELETE_FILE = 6;

/** Every so many rows, one is deleted: 2 %. */
const DELETED_EVERY = 50;
const DELETED = `hash(n + 30000000000) % ${DELETED_EVERY} = 0`;

interface ShortTable {
  /** Of `bench`. */
  readonly name: string;
  /** Table of `bench` whose data files it has, too. */
  readonly of: string;
}

/** Makes a table with position-delete files. */
export async function makePositionDeletes(project: Project, table: ShortTable): Promise<void> {
  const { writer, files, engine, folder } = await shareFiles(project, table);
  const deletes: DataFile[] = [];
  for (let from = 0; from < files.length; from += DATA_FILES_PER_DELETE_FILE) {
    const rows = files
      .slice(from, from + DATA_FILES_PER_DELETE_FILE)
      .map((file) => `(SELECT ${quoteLiteral(file.filePath)} AS file_path, n AS pos FROM ${positionsSql(file)})`);
    const path = `${folder}/deletes-${randomUUID()}.parquet`;
    const [[count] = []] = await engine.withConnection(async (connection) => {
      const select = `${rows.join(' UNION ALL ')} ORDER BY ALL`;
      await connection.run(`COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet, FIELD_IDS ${FIELD_IDS})`);
      return await connection.rows(`SELECT count(*) FROM ${parquetReader([path])}`);
    });
    deletes.push(positionDeleteFile(path, Number(count)));
  }
  await writer.commit(deletes);
}

function positionDeleteFile(path: string, rows: number): DataFile {
  return {
    content: 'position-deletes',
    filePath: path,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: BigInt(rows),
    fileSizeInBytes: BigInt(statSync(path).size),
  };
}

/** Makes a table with deletion vectors. */
export async function makeVectors(project: Project, table: ShortTable): Promise<void> {
  const { writer, files, engine } = await shareFiles(project, table);
  await writer.upgradeToV3();
  const deletes = [];
  for (const file of files) {
    const rows = await engine.withConnection((connection) => connection.rows(`SELECT n FROM ${positionsSql(file)}`));
    deletes.push({ path: file.filePath, positions: rows.map(([position]) => Number(position)) });
  }
  await writer.commit(await writer.vectors(deletes));
}

/**
 * Makes a table with many small position-delete files, each of which deletes one row of every data file, and commits them together.
 * @returns their paths
 */
export async function makeManyPositionDeletes(
  project: Project,
  table: ShortTable,
  count: number,
): Promise<readonly string[]> {
  const { writer, files, engine, folder } = await shareFiles(project, table);
  const named = files.map((file, index) => `(${index}, ${quoteLiteral(file.filePath)}, ${file.recordCount})`);
  const paths = Array.from({ length: count }, () => `${folder}/deletes-${randomUUID()}.parquet`);
  await engine.withConnection(async (connection) => {
    await connection.run(
      `CREATE TEMP TABLE named AS SELECT * FROM (VALUES ${named.join(', ')}) AS v(file, path, row_count)`,
    );
    for (const [index, path] of paths.entries()) {
      const position = `(hash(${index}, file) % row_count)::BIGINT`;
      const select = `SELECT path AS file_path, ${position} AS pos FROM named ORDER BY ALL`;
      await connection.run(`COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet, FIELD_IDS ${FIELD_IDS})`);
    }
  });
  await writer.commit(paths.map((path) => positionDeleteFile(path, files.length)));
  return paths;
}

const positionsSql = (file: DataFile): string => `range(${file.recordCount}) AS r(n) WHERE ${DELETED}`;

async function shareFiles(project: Project, { name, of }: ShortTable) {
  const catalog = await project.catalog();
  const shared = await loadTable(catalog, project.io, { namespace: ['bench'], name: of });
  const schema = currentSchema(shared.metadata);
  const plan = await planFiles(shared, { snapshot: currentSnapshot(shared.metadata) ?? null, schema });
  const files = plan.files.map(({ file }) => file);
  const identifier = { namespace: ['bench'], name };
  await catalog.createTable(identifier, { schema });
  const table = await loadTable(catalog, project.io, identifier);
  await commitAppend(table, { files });
  const engine = await project.engine();
  const folder = await project.io.canonical(dataFolder(table.metadata));
  mkdirSync(folder, { recursive: true });
  const writer = new DeleteWriter({ io: project.io, catalog, engine }, identifier);
  return { writer, files, engine, folder };
}
