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
  type Transform,
} from '../../iceberg/index.js';
import { writeAvro } from './avro-file.js';
import { type Clock, columnValue, evolved, type FieldIds, primitiveFields, type Roles } from './columns.js';
import { fileSize, LAST_UPDATED, ROW_ID, randomLayout, randomMetrics, writeParquet } from './data-file.js';
import { ImportedNames } from './imported-names.js';
import type { Random } from './random.js';
import { asType, fieldValue, type LiveRow, type Row, rewritten } from './rows.js';
import { type AddedFile, TableWriter } from './table-writer.js';
import type { Value } from './values.js';

/** How a data file came to be: an imported one has no field ids. */
export type FileForm = 'parquet' | 'avro' | 'imported';

/** A data file of the table as it is now. */
export interface HeldFile {
  readonly file: DataFile;
  readonly sequence: bigint;
  readonly rows: readonly Row[];
  readonly form: FileForm;
  /** Whether it lacks columns whose values its partition tells. */
  readonly leavesIdentity: boolean;
  /** Positions of deleted rows, however they were deleted. */
  readonly dead: Set<number>;
  /** Of these, what position deletes and vectors have deleted. */
  readonly byPosition: Set<number>;
  /** The entry of its deletion vector. */
  vector?: DataFile;
}

/** The effects of a commit besides exchanging data files. */
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
  /** The data files with rows. */
  readonly files: readonly HeldFile[];
}

/** The ingredients of a table. */
export interface TableShape {
  readonly location: string;
  readonly formatVersion: 1 | 2 | 3;
  readonly schema: Schema;
  readonly roles: Roles;
  readonly ids: FieldIds;
  /** Whether there are rarer things too: unknown transforms, files imported without field ids. */
  readonly isVaried?: boolean;
  /** Whether some files are in Avro. */
  readonly hasAvro?: boolean;
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
  protected readonly hasAvro: boolean;
  readonly #isVaried: boolean;
  readonly #imports = new ImportedNames();
  #partitionIds = new Map<string, number>();

  constructor(random: Random, duckdb: DuckDBConnection, clock: Clock, shape: TableShape) {
    const { location, formatVersion, schema, roles, ids } = shape;
    this.random = random;
    this.duckdb = duckdb;
    this.#clock = clock;
    this.roles = roles;
    this.#ids = ids;
    this.#isVaried = shape.isVaried ?? false;
    this.hasAvro = shape.hasAvro ?? false;
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
    const chosen = this.random.chance(0.2) ? [] : this.#partitionFields(this.writer.schema);
    const fields = this.writer.formatVersion === 1 ? this.#evolvedAsV1(chosen) : chosen;
    this.steps.push(
      `spec ${this.writer.specs.length}: ${fields.map((f) => `${f.transform.kind}(${f.sourceId})`).join(', ')}`,
    );
    this.writer.evolve({ spec: { specId: this.writer.specs.length, fields } });
  }

  /** Version 1 has no field ids in manifests: partition fields keep their places, and dropped ones become void. */
  #evolvedAsV1(chosen: readonly PartitionField[]): readonly PartitionField[] {
    const before = this.writer.spec.fields;
    const kept = before.map((field): PartitionField => {
      return chosen.some(({ fieldId }) => fieldId === field.fieldId)
        ? field
        : { ...field, transform: { kind: 'void' } };
    });
    const isNew = ({ fieldId }: PartitionField): boolean => before.every((field) => field.fieldId !== fieldId);
    return [...kept, ...chosen.filter(isNew)];
  }

  /** From now on the table is of the next version. Version 2 knows no manifests that a snapshot lists itself. */
  upgrade(): void {
    const { formatVersion, isInline } = this.writer;
    if (formatVersion === 3 || isInline) return;
    this.steps.push(`upgrade from ${formatVersion}`);
    this.writer.formatVersion = formatVersion === 1 ? 2 : 3;
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
    const sequence = this.writer.formatVersion > 1 && this.random.chance(0.5) ? last : undefined;
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
        if (this.writer.formatVersion < 3 || first === undefined) return [{ values }];
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
    const form = this.#randomForm(lineage.length > 0);
    const identity = new Set(spec.fields.flatMap((f) => (f.transform.kind === 'identity' ? [f.sourceId] : [])));
    const leavesIdentity = this.#isVaried && identity.size > 0 && this.random.chance(form === 'imported' ? 0.7 : 0.2);
    // A column without values need not be in the file, if it would not be taken for older than the column.
    const isLeftOut = (field: NestedField): boolean =>
      (leavesIdentity && identity.has(field.id)) ||
      (field.initialDefault === undefined &&
        rows.every((row) => (row.values.get(field.id) ?? null) === null) &&
        this.random.chance(0.3));
    const stored = [...schema.fields.filter((field) => !isLeftOut(field)), ...lineage];
    const fields = stored.length === 0 ? schema.fields : stored;
    const tuples = rows.map((row) => fields.map((field) => storedValue(row, field)));
    const filePath = this.writer.path('data', `${spec.specId}.${form === 'avro' ? 'avro' : 'parquet'}`);
    await this.#writeAs(form, filePath, fields, tuples);
    const file: DataFile = {
      content: 'data',
      filePath,
      fileFormat: form === 'avro' ? 'AVRO' : 'PARQUET',
      specId: spec.specId,
      partition,
      recordCount: BigInt(rows.length),
      fileSizeInBytes: await fileSize(filePath),
      ...randomMetrics(this.random, fields, tuples),
    };
    const isLeft = leavesIdentity && fields !== schema.fields;
    return { file, rows, form, leavesIdentity: isLeft, sequence: 0n, dead: new Set(), byPosition: new Set() };
  }

  #randomForm(hasLineage: boolean): FileForm {
    return this.random.weighted([
      [8, 'parquet'],
      [this.hasAvro ? 1.5 : 0, 'avro'],
      [this.#isVaried && !hasLineage ? 1.5 : 0, 'imported'],
    ] as const);
  }

  async #writeAs(
    form: FileForm,
    path: string,
    fields: readonly NestedField[],
    tuples: readonly (readonly Value[])[],
  ): Promise<void> {
    if (form === 'avro') return await writeAvro(this.random, path, fields, tuples);
    const layout = randomLayout(this.random, tuples);
    if (form === 'parquet') return await writeParquet(this.duckdb, path, fields, tuples, layout);
    await writeParquet(this.duckdb, path, this.#imports.named(fields), tuples, layout, false);
    this.writer.properties.set('schema.name-mapping.default', this.#imports.mapping());
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
    const files = this.files.filter(({ rows, dead }) => rows.length > dead.size);
    this.states.push({ snapshotId, schemaId: this.writer.schema.schemaId, rows: this.rows, files });
  }

  #partitionFields(schema: Schema): readonly PartitionField[] {
    const sources = primitiveFields(schema).filter(({ type }) => !['float', 'double', 'boolean'].includes(type.kind));
    return this.random.some(sources, 1, 2).map((source): PartitionField => {
      const transforms = ['identity', 'bucket[3]', 'truncate[2]', 'year', 'month', 'day', 'hour', 'void']
        .map(parseTransform)
        .filter((transform) => canTransform(transform, source.type));
      if (this.#isVaried && this.random.chance(0.15)) transforms.splice(0, transforms.length, UNKNOWN);
      const transform = this.random.pick(transforms);
      const key = `${source.id} ${JSON.stringify(transform)}`;
      const fieldId = this.#partitionIds.get(key) ?? 1000 + this.#partitionIds.size;
      this.#partitionIds.set(key, fieldId);
      return { sourceId: source.id, fieldId, name: `part_${fieldId}`, transform };
    });
  }
}

/** A transform of another writer. */
const UNKNOWN: Transform = { kind: 'unknown', text: 'length[2]' };

function storedValue(row: Row, field: NestedField): Value {
  if (field === ROW_ID) return row.rowId ?? null;
  if (field === LAST_UPDATED) return row.lastUpdated ?? null;
  return fieldValue(row.values, field);
}

/** The partition that a row belongs to. */
export function partitionOf(row: Row, spec: PartitionSpec, schema: Schema): PartitionTuple {
  return spec.fields.map(({ sourceId, transform }) => {
    const field = schema.fields.find(({ id }) => id === sourceId) as NestedField;
    const value = asType(fieldValue(row.values, field), field.type) as PrimitiveValue | null;
    if (transform.kind === 'unknown') return value === null ? null : `length ${String(value).length % 2}`;
    return applyTransform(transform, field.type, value);
  });
}
