/** A table of rows `id`, `part`, `x`, with its deletes and rewrites: what tests of row-level changes do to a table. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { deleteRows, writeDeletes } from '../../deletes/index.js';
import {
  type Engine,
  LAST_UPDATED,
  openEngine,
  quoteLiteral,
  ROW_ID,
  readableScanSql,
  type ScanExtras,
  withReadableCopies,
} from '../../engine/index.js';
import {
  bindExpression,
  currentSchema,
  currentSnapshot,
  type DataFile,
  type PartitionSpec,
  parseExpression,
  type Schema,
  UNPARTITIONED,
} from '../../iceberg/index.js';
import { openScan } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import {
  type ArrivedDeletes,
  type CarriedDeletes,
  type CommitResult,
  commitAppend,
  commitOverwrite,
  commitRewrite,
  commitRowDelta,
  type PlannedFile,
  planFiles,
  type RewriteRequest,
  type Table,
} from '../../tables/index.js';
import { openTableWorld, schemaOf, type TableWorld } from './table-world.js';

/** A row as our scan reads it. */
export interface ReadRow {
  readonly id: bigint;
  readonly part: string;
  readonly x: bigint | null;
  readonly rowId: bigint | null;
  readonly sequenceNumber: bigint;
}

export type NewRow = readonly [id: number, part: string, x: number | null];

/** A rewrite that is staged and not yet committed. */
export interface StagedRewrite {
  readonly table: Table;
  readonly request: RewriteRequest;
}

export class RowTable {
  readonly world: TableWorld;
  readonly name: string;
  #writer: Promise<Engine> | undefined;

  private constructor(world: TableWorld, name: string) {
    this.world = world;
    this.name = name;
    onTestFinished(async () => {
      await (await this.#writer)?.close();
    });
  }

  static async create(formatVersion: 2 | 3, partitioning?: string, world?: TableWorld, name = 't'): Promise<RowTable> {
    const opened = world ?? (await openTableWorld());
    await opened.create(name, schemaOf({ id: 'long', part: 'string', x: 'long' }), partitioning, formatVersion);
    return new RowTable(opened, name);
  }

  /** A table that is there. */
  static open(world: TableWorld, name = 't'): RowTable {
    return new RowTable(world, name);
  }

  load(): Promise<Table> {
    return this.world.load(this.name);
  }

  /** Adds the rows in one commit; of one partition: as one file. */
  async append(rows: readonly NewRow[]): Promise<CommitResult> {
    const table = await this.load();
    return commitAppend(table, { files: await this.write(table, valuesSql(rows)) });
  }

  /** Replaces rows by their ids: an equality delete and the new rows, in one commit. */
  async upsert(rows: readonly NewRow[]): Promise<CommitResult> {
    const table = await this.load();
    const files = await this.write(table, valuesSql(rows));
    return commitRowDelta(table, { files, deleteFiles: [await this.equalityDelete(rows.map(([id]) => id))] });
  }

  /** Copy-on-write: one file, told by the id of a row in it, is replaced by others with these rows. */
  async overwrite(id: number, rows: readonly NewRow[]): Promise<CommitResult> {
    const table = await this.load();
    const paths = await this.dataPaths();
    const found = await this.select(table, paths, { fileName: 'f' }, (from) => `${from} WHERE id = ${id}`);
    const removeFiles = found.map(([, , , path]) => String(path));
    return commitOverwrite(table, { removeFiles, files: await this.write(table, valuesSql(rows)) });
  }

  async deleteWhere(where: string) {
    const table = await this.load();
    const filter = bindExpression(parseExpression(where), currentSchema(table.metadata));
    return this.world.engine.withConnection((connection) => deleteRows(table, connection, { filter }));
  }

  /** A delete file that takes the rows of these ids, whatever their partition. */
  async equalityDelete(ids: readonly number[]): Promise<DataFile> {
    const table = await this.load();
    const schema = currentSchema(table.metadata);
    const keys = { ...schema, fields: schema.fields.filter(({ name }) => name === 'id') };
    const select = `SELECT unnest([${ids.join(', ')}]::BIGINT[])`;
    const [file] = await this.write(table, select, keys, UNPARTITIONED);
    if (file === undefined) throw new Error('no keys');
    const specId = table.metadata.partitionSpecs.find(({ fields }) => fields.length === 0)?.specId;
    if (specId === undefined) throw new Error('the table has no unpartitioned spec');
    return { ...file, content: 'equality-deletes', equalityIds: [1], specId };
  }

  async rows(): Promise<readonly ReadRow[]> {
    const table = await this.load();
    const files = (await this.plan(table)).map(({ file }) => file.filePath);
    const read = await this.select(table, files, { rowId: 'r', sequenceNumber: 's' }, (from) => `${from} ORDER BY ALL`);
    return read.map(([id, part, x, rowId, sequenceNumber]) => ({
      id: id as bigint,
      part: part as string,
      x: x as bigint | null,
      rowId: rowId as bigint | null,
      sequenceNumber: sequenceNumber as bigint,
    }));
  }

  async plan(table: Table): Promise<readonly PlannedFile[]> {
    const snapshot = currentSnapshot(table.metadata);
    return (await planFiles(table, { snapshot, schema: currentSchema(table.metadata), appliesDeletes: true })).files;
  }

  async dataPaths(): Promise<readonly string[]> {
    return (await this.plan(await this.load())).map(({ file }) => file.filePath).sort();
  }

  /** Writes the live rows of data files into new ones, with their row lineage from version 3 on. */
  async stageRewrite(paths: readonly string[]): Promise<StagedRewrite> {
    const table = await this.load();
    const plannedOn = table.metadata.currentSnapshotId ?? 0n;
    const extras = { rowId: 'r', sequenceNumber: 's', fileNumber: 'f', rowNumber: 'n' };
    const schema = currentSchema(table.metadata);
    const lineage = table.metadata.formatVersion === 3 ? [ROW_ID, LAST_UPDATED] : [];
    const columns = ['id', 'part', 'x', ...(lineage.length > 0 ? ['r', 's'] : [])].join(', ');
    const sources = (await this.plan(table)).filter(({ file }) => paths.includes(file.filePath));
    const written = { ...schema, fields: [...schema.fields, ...lineage] };
    const rows = await this.select(table, paths, extras, (from) => `${from} ORDER BY f, n`);
    const values = rows.map((row) => {
      const [id, part, x, r, s] = row.map(String);
      return `(${id}, '${part}', ${x}, ${r}, ${s})`;
    });
    const select = `SELECT ${columns} FROM (VALUES ${values.join(', ')}) AS v(id, part, x, r, s)`;
    const files = values.length === 0 ? [] : await this.write(table, select, written);
    const rebaseDeletes = (base: Table, arrived: readonly ArrivedDeletes[]) =>
      this.rebase(base, files, sources, rows, arrived);
    return { table, request: { plannedOn, removeFiles: paths, files, rebaseDeletes } };
  }

  async rewrite(paths: readonly string[]): Promise<CommitResult> {
    const { table, request } = await this.stageRewrite(paths);
    return commitRewrite(table, request);
  }

  /** Maps the deleted positions of removed files onto the new files: rows are known by their ids and values. */
  private async rebase(
    base: Table,
    files: readonly DataFile[],
    sources: readonly PlannedFile[],
    rows: readonly (readonly unknown[])[],
    arrived: readonly ArrivedDeletes[],
  ): Promise<CarriedDeletes> {
    const live = new Set<string>();
    const key = (row: readonly unknown[]) => `${String(row[5])}/${String(row[6])}`;
    const still = await this.select(
      base,
      sources.map(({ file }) => file.filePath),
      { rowId: 'r', sequenceNumber: 's', fileName: 'f', rowNumber: 'n' },
      (from) => from,
    );
    for (const row of still) live.add(`${String(row[5])}/${String(row[6])}`);
    const about = new Set(arrived.map(({ dataFile }) => dataFile.filePath));
    const nameOf = (row: readonly unknown[]) => sources[Number(row[5])]?.file.filePath ?? '';
    // Each new file holds the rows of one partition, in the order of `rows`.
    const next = new Map<string, bigint>();
    const positions = new Map<DataFile, bigint[]>();
    for (const row of rows) {
      const file = files.find(({ partition }) => partition.length === 0 || partition[0] === row[1]);
      if (file === undefined) throw new Error(`no file of ${key(row)}`);
      const position = next.get(file.filePath) ?? 0n;
      next.set(file.filePath, position + 1n);
      if (!about.has(nameOf(row)) || live.has(`${nameOf(row)}/${String(row[6])}`)) continue;
      positions.set(file, [...(positions.get(file) ?? []), position]);
    }
    const deleted = [...positions].map(([dataFile, ofFile]) => ({ dataFile, positions: ofFile }));
    const isEmptied = ({ dataFile, positions: ofFile }: (typeof deleted)[number]) =>
      BigInt(ofFile.length) === dataFile.recordCount;
    const partly = deleted.filter((file) => !isEmptied(file));
    const { engine } = this.world;
    const { files: deletes } = await engine.withConnection((connection) =>
      writeDeletes(base, connection, partly, randomUUID()),
    );
    return { deletes, emptied: deleted.filter(isEmptied).map(({ dataFile }) => dataFile.filePath) };
  }

  private async select(
    table: Table,
    paths: readonly string[],
    extras: ScanExtras,
    statement: (from: string) => string,
  ): Promise<readonly (readonly unknown[])[]> {
    const snapshot = currentSnapshot(table.metadata);
    const schema = currentSchema(table.metadata);
    const plan = await planFiles(table, { snapshot, schema, appliesDeletes: true });
    const files = plan.files.filter(({ file }) => paths.includes(file.filePath));
    if (files.length === 0) return [];
    return this.world.engine.withConnection(async (connection) => {
      const { scan } = await openScan(connection, { table, snapshot, schema }, { ...plan, files });
      const { fileName, ...others } = extras;
      // As the table names it: the scan may read a copy.
      const place = fileName === undefined ? {} : { fileNumber: 'place' };
      const all = await withReadableCopies(connection, { ...scan, schema, extras: { ...others, ...place } });
      const locations = files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
      const name = fileName === undefined ? '' : `, list_extract([${locations}]::VARCHAR[], place + 1) AS ${fileName}`;
      const names = [
        'id',
        'part',
        'x',
        ...['rowId', 'sequenceNumber', 'fileNumber', 'fileName', 'rowNumber'].flatMap(
          (extra) => extras[extra as keyof ScanExtras] ?? [],
        ),
      ];
      const from = `(SELECT *${name} FROM ${await readableScanSql(connection, all)})`;
      return connection.rows(statement(`SELECT ${names.join(', ')} FROM ${from}`));
    });
  }

  private async write(
    table: Table,
    select: string,
    schema: Schema = currentSchema(table.metadata),
    spec?: PartitionSpec,
  ) {
    const rows = { select, schema, namePrefix: randomUUID(), ...(spec === undefined ? {} : { spec }) };
    const engine = await this.#oneThread();
    return engine.withConnection((connection) => stageRows(connection, table, rows));
  }

  /** An engine that keeps the rows of a write in the order given, partition by partition. */
  #oneThread(): Promise<Engine> {
    this.#writer ??= openEngine({
      memoryLimitBytes: 1 << 28,
      threads: 1,
      tempDirectory: join(this.world.folder, randomUUID()),
      allowedDirectories: [this.world.folder],
    });
    return this.#writer;
  }
}

function valuesSql(rows: readonly NewRow[]): string {
  return `VALUES ${rows.map(([id, part, x]) => `(${id}, '${part}', ${x})`).join(', ')}`;
}
