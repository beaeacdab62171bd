/** A random table: what happens to it, step by step, and the rows that it has after each step. */
import type { DuckDBConnection } from '@duckdb/node-api';
import {
  applyTransform,
  canTransform,
  type DataFile,
  type NestedField,
  type PartitionField,
  type PartitionSpec,
  type PartitionTuple,
  type PrimitiveValue,
  parseTransform,
  type Schema,
} from '../../iceberg/index.js';
import { type Clock, columnValue, evolved, type FieldIds, primitiveFields, type Roles } from './columns.js';
import { fileSize, LAST_UPDATED, ROW_ID, randomLayout, randomMetrics, writeParquet } from './data-file.js';
import type { Random } from './random.js';
import { asType, fieldValue, type LiveRow, type Row, rewritten } from './rows.js';
import { type AddedFile, TableWriter } from './table-writer.js';
import type { Value } from './values.js';

/** A data file of the table as it is now. */
export interface HeldFile {
  readonly file: DataFile;
  readonly sequence: bigint;
  readonly rows: readonly Row[];
  /** Positions of deleted rows, however they were deleted. */
  readonly dead: Set<number>;
  /** Of these, what position deletes and vectors have deleted. */
  readonly byPosition: Set<number>;
  /** The entry of its deletion vector. */
  vector?: DataFile;
}

/** What a commit does besides exchanging data files. */
export interface DeleteChange {
  readonly added: readonly DataFile[];
  readonly removed: readonly DataFile[];
}

const NO_DELETES: DeleteChange = { added: [], removed: [] };

/** The rows of a table at one of its snapshots. */
export interface TableState {
  readonly snapshotId: bigint;
  readonly schemaId: number;
  readonly rows: readonly LiveRow[];
}

/** What a table is made from. */
export interface TableShape {
  readonly location: string;
  readonly formatVersion: 2 | 3;
  readonly schema: Schema;
  readonly roles: Roles;
  readonly ids: FieldIds;
}

/** A row waiting to be written, with the partition that it came from or will go to. */
type Placed = { readonly partition: PartitionTuple; readonly rows: Row[] };

export class TableHistory {
  readonly writer: TableWriter;
  readonly roles: Roles;
  readonly states: TableState[] = [];
  /** Said of a failing world. */
  readonly steps: string[] = [];
  protected readonly random: Random;
  protected readonly duckdb: DuckDBConnection;
  protected files: HeldFile[] = [];
  readonly #clock: Clock;
  readonly #ids: FieldIds;
  #partitionIds = new Map<string, number>();

  constructor(random: Random, duckdb: DuckDBConnection, clock: Clock, shape: TableShape) {
    const { location, formatVersion, schema, roles, ids } = shape;
    this.random = random;
    this.duckdb = duckdb;
    this.#clock = clock;
    this.roles = roles;
    this.#ids = ids;
    const spec = { specId: 0, fields: random.chance(0.5) ? [] : this.#partitionFields(schema) };
    this.writer = new TableWriter(random, location, formatVersion, schema, spec);
  }

  /** The rows of the table as it is now. */
  get rows(): readonly LiveRow[] {
    return this.files.flatMap(({ rows, dead, sequence }) =>
      rows.flatMap((row, position) => (dead.has(position) ? [] : [{ row, sequence: row.lastUpdated ?? sequence }])),
    );
  }

  /** New rows in new files. */
  async append(count: number): Promise<void> {
    this.steps.push(`append ${count}`);
    await this.commit('append', await this.write(this.newRows(count)), []);
  }

  protected newRows(count: number): Row[] {
    const { schema } = this.writer;
    return Array.from({ length: count }, (): Row => {
      const value = (field: NestedField) => columnValue(this.random, this.#clock, this.roles.get(field.id), field.type);
      return { values: new Map(schema.fields.map((field) => [field.id, value(field)])) };
    });
  }

  evolveSchema(): void {
    const partitioned = new Set(this.writer.spec.fields.map(({ sourceId }) => sourceId));
    const context = {
      ids: this.#ids,
      roles: this.roles,
      formatVersion: this.writer.formatVersion,
      partitioned,
    };
    const schema = evolved(this.random, this.writer.schema, context);
    if (schema === undefined) return;
    this.steps.push(
      `schema ${schema.schemaId}: ${schema.fields.map((f) => `${f.id} ${f.name} ${f.type.kind}`).join(', ')}`,
    );
    this.writer.evolve({ schema });
  }

  evolveSpec(): void {
    const fields = this.random.chance(0.2) ? [] : this.#partitionFields(this.writer.schema);
    this.steps.push(
      `spec ${this.writer.specs.length}: ${fields.map((f) => `${f.transform.kind}(${f.sourceId})`).join(', ')}`,
    );
    this.writer.evolve({ spec: { specId: this.writer.specs.length, fields } });
  }

  /** From now on the table is of version 3. */
  upgrade(): void {
    if (this.writer.formatVersion === 3) return;
    this.steps.push('upgrade');
    this.writer.formatVersion = 3;
  }

  /** Rewrites a file without some of its rows. */
  async copyOnWrite(): Promise<void> {
    if (this.files.length === 0) return;
    const file = this.random.pick(this.files);
    const kept = this.carriedOver([file]).filter(() => this.random.chance(0.7));
    this.steps.push(`copy on write of ${file.file.filePath}: ${kept.length} of ${file.rows.length} rows`);
    await this.commit('overwrite', await this.write(kept), [file]);
  }

  /** Puts the rows of some files into others. They count as written now or, as some engines have it, as of the last snapshot. */
  async compact(): Promise<void> {
    const chosen = this.random.some(this.files, 1, 4);
    if (chosen.length === 0) return;
    const rows = this.random.shuffle(this.carriedOver(chosen));
    const last = this.writer.snapshots.at(-1)?.sequenceNumber;
    const sequence = this.random.chance(0.5) ? last : undefined;
    this.steps.push(`compact ${chosen.map(({ file }) => file.filePath).join(' ')} at ${sequence ?? 'its own number'}`);
    await this.commit('replace', await this.write(rows), chosen, { sequence });
  }

  /** Live rows of files as another file will hold them. With row lineage they keep who they are and when they last changed. */
  protected carriedOver(files: readonly HeldFile[]): Row[] {
    return files.flatMap(({ file, rows, dead, sequence }) =>
      rows.flatMap((row, position): Row[] => {
        if (dead.has(position)) return [];
        const values = rewritten(row, this.writer.schema);
        const first = this.writer.firstRowId(file);
        if (this.writer.formatVersion === 2 || first === undefined) return [{ values }];
        const rowId = row.rowId ?? first + BigInt(position);
        return [{ values, rowId, lastUpdated: row.lastUpdated ?? sequence }];
      }),
    );
  }

  /** Writes rows into files of the current spec, each of one partition. */
  protected async write(rows: readonly Row[]): Promise<HeldFile[]> {
    const { schema, spec } = this.writer;
    const partitions = new Map<string, Placed>();
    for (const row of rows) {
      const partition = partitionOf(row, spec, schema);
      const key = partition.map(String).join('|') + (this.random.chance(0.2) ? ' another file' : '');
      const placed = partitions.get(key) ?? { partition, rows: [] };
      placed.rows.push(row);
      partitions.set(key, placed);
    }
    const held: HeldFile[] = [];
    for (const placed of partitions.values()) held.push(await this.#writeFile(placed));
    return held;
  }

  async #writeFile({ partition, rows }: Placed): Promise<HeldFile> {
    const { schema, spec } = this.writer;
    const lineage = rows.some((row) => row.rowId !== undefined) ? [ROW_ID, LAST_UPDATED] : [];
    const value = (row: Row, field: NestedField): Value => {
      if (field === ROW_ID) return row.rowId ?? null;
      if (field === LAST_UPDATED) return row.lastUpdated ?? null;
      return fieldValue(row.values, field);
    };
    // A column without values need not be in the file, if it would not be taken for older than the column.
    const isLeftOut = (field: NestedField): boolean =>
      field.initialDefault === undefined &&
      rows.every((row) => (row.values.get(field.id) ?? null) === null) &&
      this.random.chance(0.3);
    const stored = [...schema.fields.filter((field) => !isLeftOut(field)), ...lineage];
    const fields = stored.length === 0 ? schema.fields : stored;
    const tuples = rows.map((row) => fields.map((field) => value(row, field)));
    const filePath = this.writer.path('data', `${spec.specId}.parquet`);
    await writeParquet(this.duckdb, filePath, fields, tuples, randomLayout(this.random, tuples));
    const file: DataFile = {
      content: 'data',
      filePath,
      fileFormat: 'PARQUET',
      specId: spec.specId,
      partition,
      recordCount: BigInt(rows.length),
      fileSizeInBytes: await fileSize(filePath),
      ...randomMetrics(this.random, fields, tuples),
    };
    return { file, rows, sequence: 0n, dead: new Set(), byPosition: new Set() };
  }

  /** Commits new data files in place of others; the vectors of those go with them. */
  protected async commit(
    operation: string,
    added: readonly HeldFile[],
    removed: readonly HeldFile[],
    {
      deletes = NO_DELETES,
      sequence,
    }: { readonly deletes?: DeleteChange; readonly sequence?: bigint | undefined } = {},
  ): Promise<void> {
    const files: AddedFile[] = [
      ...added.map(({ file }) => ({ file, ...(sequence === undefined ? {} : { sequence }) })),
      ...deletes.added.map((file) => ({ file })),
    ];
    const vectors = removed.flatMap(({ vector }) => (vector === undefined ? [] : [vector]));
    const gone = new Set([...removed.map(({ file }) => file), ...vectors, ...deletes.removed]);
    const committed = await this.writer.commit(operation, files, gone);
    const held = added.map((file) => ({ ...file, sequence: sequence ?? committed.sequence }));
    this.files = [...this.files.filter((file) => !removed.includes(file)), ...held];
    this.remember(committed.snapshotId);
  }

  protected remember(snapshotId: bigint): void {
    this.states.push({ snapshotId, schemaId: this.writer.schema.schemaId, rows: this.rows });
  }

  #partitionFields(schema: Schema): readonly PartitionField[] {
    const sources = primitiveFields(schema).filter(({ type }) => !['float', 'double', 'boolean'].includes(type.kind));
    return this.random.some(sources, 1, 2).map((source): PartitionField => {
      const transforms = ['identity', 'bucket[3]', 'truncate[2]', 'year', 'month', 'day', 'hour', 'void']
        .map(parseTransform)
        .filter((transform) => canTransform(transform, source.type));
      const transform = this.random.pick(transforms);
      const key = `${source.id} ${JSON.stringify(transform)}`;
      const fieldId = this.#partitionIds.get(key) ?? 1000 + this.#partitionIds.size;
      this.#partitionIds.set(key, fieldId);
      return { sourceId: source.id, fieldId, name: `part_${fieldId}`, transform };
    });
  }
}

/** The partition that a row belongs to. */
export function partitionOf(row: Row, spec: PartitionSpec, schema: Schema): PartitionTuple {
  return spec.fields.map(({ sourceId, transform }) => {
    const field = schema.fields.find(({ id }) => id === sourceId) as NestedField;
    const value = asType(fieldValue(row.values, field), field.type) as PrimitiveValue | null;
    return applyTransform(transform, field.type, value);
  });
}
