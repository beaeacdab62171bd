/** A feature view's online table at one snapshot, and the lookup of entities in it. */
import {
  type Connection,
  columnAlias,
  type Engine,
  nameDamagedFile,
  plainValue,
  readableScanSql,
  sqlLiteral,
} from '../engine/index.js';
import { latestPerEntitySql } from '../features/index.js';
import {
  NAME_MAPPING_PROPERTY,
  type NestedField,
  type PrimitiveType,
  type PrimitiveValue,
  type Schema,
} from '../iceberg/index.js';
import type { LocalPath } from '../locations/index.js';
import type { FileToOpen } from '../scans/index.js';
import type { Table } from '../tables/index.js';
import { appendedBesideRewrites } from './appended-files.js';
import { compactionsBetween } from './compactions.js';
import { encodeEntityKey, entityKeySql } from './entity-key.js';
import type { FeatureValue } from './feature-value.js';
import { FileIndex } from './file-index.js';
import { ONLINE_COLUMNS } from './online-columns.js';
import { carryRows, heldCells } from './parts/carry-rows.js';
import { MAX_PART_ROWS } from './parts/cell.js';
import { DecodedTable } from './parts/decoded-table.js';
import type { PartLoader } from './parts/part-loader.js';
import { type OnlineColumns, storedColumns } from './stored-columns.js';

/** The newest row of an entity. */
export interface OnlineRow {
  readonly eventTimestampUs: bigint;
  /** Values of the wanted features, in their order. */
  readonly values: readonly FeatureValue[];
}

/** A lookup of entities in some files, but for the entities and the time. */
interface Lookup {
  /** The files' rows, for a FROM clause. */
  readonly scan: string;
  readonly select: string;
  readonly paths: readonly LocalPath[];
}

/** One snapshot of a view's online table. */
export class OnlineView {
  readonly name: string;
  readonly table: Table;
  readonly columns: OnlineColumns;
  readonly index: FileIndex;
  /** Parts of it that are decoded. */
  readonly decoded: DecodedTable;
  #carrying: Promise<void> | undefined;
  /** Whether it is read from files of earlier snapshots: see {@link bridgedTo}. */
  readonly #isBridge: boolean;
  /** By the list of files, then by the features. */
  readonly #lookups = new WeakMap<readonly FileToOpen[], Map<string, Lookup>>();

  private constructor(
    name: string,
    table: Table,
    columns: OnlineColumns,
    index: FileIndex,
    decoded: DecodedTable,
    isBridge = false,
  ) {
    this.#isBridge = isBridge;
    this.name = name;
    this.table = table;
    this.columns = columns;
    this.index = index;
    this.decoded = decoded;
  }

  /**
   * @param joinKeys as of {@link storedColumns}
   * @param before the same view as it was loaded last: what it knows of files that are still there is kept
   * @param loader of its parts
   */
  static async load(
    name: string,
    table: Table,
    joinKeys: readonly string[],
    { before, loader }: { readonly before?: OnlineView | undefined; readonly loader?: PartLoader } = {},
  ): Promise<OnlineView> {
    const { schema, columns } = storedColumns(table.metadata, joinKeys, name);
    const index = await FileIndex.load(table, schema, columns, before?.index);
    const isAlike = before !== undefined && readsAlike(before, table, schema, columns);
    // It may end while the cells are made.
    const carrying = before === undefined ? undefined : before.#carrying;
    const partRows = loader?.partRows ?? MAX_PART_ROWS;
    const decoded = await DecodedTable.of(index, columns, isAlike ? before.decoded : undefined, partRows);
    const view = new OnlineView(name, table, columns, index, decoded);
    if (isAlike && loader !== undefined) view.#carryFrom(before, carrying, loader);
    return view;
  }

  /** Ends when the rows that are decoded of the snapshot before have gone over to files that compactions wrote; undefined: they have. Never fails. */
  get carrying(): Promise<void> | undefined {
    return this.#carrying;
  }

  /**
   * It takes long where much was written anew. Who reads it meanwhile decodes what is needed.
   * @param carrying of the view before, when this one began to be made of it
   */
  #carryFrom(before: OnlineView, carrying: Promise<void> | undefined, loader: PartLoader): void {
    const isRewritten = this.index.lacksFilesOf(before.index);
    if (!isRewritten && carrying === undefined) return;
    const carry = async (held: ReturnType<typeof heldCells>): Promise<void> => {
      const compactions = await compactionsBetween(before.index, this.index, this.table);
      await carryRows(this.decoded, before.decoded, held, compactions, loader);
    };
    const follow = async (): Promise<void> => {
      await carrying;
      this.decoded.goOnFrom(before.decoded);
      if (isRewritten) await carry(heldCells(before.decoded));
    };
    // What is decoded now may be given up while the compactions are looked at.
    const work = carrying === undefined ? carry(heldCells(before.decoded)) : follow();
    this.#carrying = work
      .catch(() => undefined)
      .then(() => {
        this.#carrying = undefined;
      });
  }

  /**
   * A later state of a view whose rows are still read from the files of this one, and from those that were appended since: what is decoded stays
   * decoded. The newest rows at the present time are the same.
   * @returns null: it has to be read from its own files, or these are the same
   */
  async bridgedTo(next: OnlineView): Promise<OnlineView | null> {
    if (!readsAlike(this, next.table, next.index.schema, next.columns)) return null;
    const since = await appendedBesideRewrites(this.index, next.index, next.table);
    if (since === null || !(since.isRewritten || this.#isBridge)) return null;
    const { appended } = since;
    const index = await FileIndex.bridged(next.table, this.columns, { before: this.index, appended, next: next.index });
    const decoded = await DecodedTable.of(index, this.columns, this.decoded, this.decoded.partRows);
    return new OnlineView(this.name, next.table, this.columns, index, decoded, true);
  }

  /**
   * Whether reads of a time get the rows of the snapshot. Files of before a compaction do for it from the time of its snapshot on: of earlier times they have
   * rows that the compaction may have dropped.
   * @param nowUs undefined: the present
   */
  answersAt(nowUs: bigint | undefined): boolean {
    const { snapshot } = this.index;
    return !this.#isBridge || nowUs === undefined || snapshot === null || nowUs >= snapshot.timestampMs * 1000n;
  }

  get snapshotId(): bigint | null {
    return this.index.snapshot?.snapshotId ?? null;
  }

  /** The value of the column that is looked up. */
  lookupValue(values: readonly PrimitiveValue[]): PrimitiveValue {
    const [first] = values;
    return this.columns.lookup.name === ONLINE_COLUMNS.entityKey || first === undefined
      ? this.entityKey(values)
      : first;
  }

  /** The identity of an entity as text. */
  entityKey(values: readonly PrimitiveValue[]): string {
    return encodeEntityKey(this.columns.keys, values);
  }

  /**
   * The newest row with an event time up to `nowUs` of every entity that has one, by {@link entityKey}.
   * @param entities key values of distinct entities
   */
  async newestRows(
    engine: Engine,
    entities: ReadonlyMap<string, readonly PrimitiveValue[]>,
    features: readonly NestedField[],
    nowUs: bigint,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, OnlineRow>> {
    const { lookup } = this.columns;
    const lookupValues = [...entities.values()].map((values) => this.lookupValue(values));
    const found = new Map<string, OnlineRow>();
    let left = [...entities.entries()];
    for (const { files, restUs } of this.index.walkFor(lookup.type, lookupValues).steps(nowUs)) {
      const values = left.map(([, key]) => this.lookupValue(key));
      const rows = await this.#newestIn(engine, files, { values, features, nowUs }, signal);
      left = left.filter(([key]) => {
        const row = rows.get(key);
        // Files that are left out could have a later row, or one that ties.
        if (restUs !== undefined && (row === undefined || row.eventTimestampUs <= restUs)) return true;
        if (row !== undefined) found.set(key, row);
        return false;
      });
      if (left.length === 0) break;
    }
    return found;
  }

  /** The newest rows among those of some files. */
  async #newestIn(
    engine: Engine,
    files: readonly FileToOpen[],
    wanted: {
      readonly values: readonly PrimitiveValue[];
      readonly features: readonly NestedField[];
      readonly nowUs: bigint;
    },
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, OnlineRow>> {
    const { values: keys, features, nowUs } = wanted;
    const rows = await engine.withConnection(
      async (connection) => {
        const { scan, select, paths } = await this.#lookup(connection, files, features);
        const sql = `WITH wanted AS (SELECT * FROM ${scan} WHERE ${this.#isWanted(keys, nowUs)}) ${select}`;
        return connection.rows(sql).catch(async (error: unknown) => {
          throw await nameDamagedFile(connection, paths, error);
        });
      },
      { signal },
    );
    return new Map(
      rows.map(([key, eventTimestampUs, ...values]) => [
        String(key),
        {
          eventTimestampUs: BigInt(String(eventTimestampUs)),
          values: features.map((feature, index) => plainValue(feature.type, values[index] ?? null)),
        },
      ]),
    );
  }

  /** The lookup in some files; kept for the next one in the same files if they stay open. */
  async #lookup(
    connection: Connection,
    files: readonly FileToOpen[],
    features: readonly NestedField[],
  ): Promise<Lookup> {
    const known = this.#lookups.get(files) ?? new Map<string, Lookup>();
    const name = features.map(({ id }) => id).join();
    const found = known.get(name);
    if (found !== undefined) return found;
    const { open, isLasting } = await this.index.open(connection, files);
    const extras = { sequenceNumber: 'seq' };
    const scan = await readableScanSql(connection, { ...open, schema: this.index.schema, naming: 'id', extras });
    const lookup = { scan, select: this.#selectSql(features), paths: open.files.map(({ path }) => path) };
    if (isLasting) this.#lookups.set(files, known.set(name, lookup));
    return lookup;
  }

  #isWanted(keys: readonly PrimitiveValue[], nowUs: bigint): string {
    const { lookup, eventTimestamp } = this.columns;
    const literals = keys.map((key) => sqlLiteral(lookup.type as PrimitiveType, key)).join(', ');
    const now = sqlLiteral(eventTimestamp.type as PrimitiveType, nowUs);
    return `${column(lookup)} IN (${literals}) AND ${column(eventTimestamp)} <= ${now}`;
  }

  /** The answer from the relation `wanted`: rows of the keys, up to the time of the read. */
  #selectSql(features: readonly NestedField[]): string {
    const { lookup, eventTimestamp, createdTimestamp, keys: parts } = this.columns;
    const { schema } = this.index;
    const same = (field: NestedField) => ({ column: column(field), as: column(field) });
    const latest = latestPerEntitySql(
      {
        relation: 'wanted',
        keys: [same(lookup)],
        timestamp: same(eventTimestamp),
        created: same(createdTimestamp),
        sequenceNumber: 'seq',
        features: this.columns.features.map((field) => ({ ...same(field), type: field.type })),
        carried: schema.fields
          .filter((field) => parts.some((part) => part.name === field.name) && field !== lookup)
          .map(same),
      },
      'row-number',
    );
    const keyColumns = parts.map((part) => column(schema.fields.find((field) => field.name === part.name) ?? lookup));
    const key = lookup.name === ONLINE_COLUMNS.entityKey ? column(lookup) : entityKeySql(parts, keyColumns);
    const outputs = [key, `CAST(epoch_us(${column(eventTimestamp)}) AS VARCHAR)`, ...features.map(column)];
    return `SELECT ${outputs.join(', ')} FROM (${latest})`;
  }
}

const column = ({ id }: NestedField): string => columnAlias(id);

/** Whether rows that were decoded of one snapshot of a table are decoded alike of another. */
function readsAlike(before: OnlineView, { metadata }: Table, schema: Schema, columns: OnlineColumns): boolean {
  const ids = ({ lookup, features }: OnlineColumns): string => [lookup, ...features].map(({ id }) => id).join();
  const { metadata: old } = before.table;
  return (
    old.tableUuid === metadata.tableUuid &&
    before.index.schema.schemaId === schema.schemaId &&
    ids(before.columns) === ids(columns) &&
    old.properties.get(NAME_MAPPING_PROPERTY) === metadata.properties.get(NAME_MAPPING_PROPERTY)
  );
}
