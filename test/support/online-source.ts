/** The source table of an online table with a random life, and the rows that it had at each snapshot, kept in plain lists. */
import { randomUUID } from 'node:crypto';
import { ensureNamespace } from '../../catalogs/index.js';
import { deleteRows } from '../../deletes/index.js';
import {
  bindExpression,
  currentSchema,
  type IcebergType,
  type NestedField,
  parseExpression,
} from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable, type Table } from '../../tables/index.js';
import type { Random } from '../worlds/random.js';
import { DeleteWriter } from './delete-writer.js';
import type { Lab } from './materialization-lab.js';
import { drawPlaces, type KeyKind, keyFields, keySql, TIMES, timeSql } from './online-keys.js';
import type { SourceFact, SourceRows } from './online-model.js';
import { columnUpdates, evolvedFields, FEATURES, samples } from './online-values.js';

/** By part of time the source snapshot that a run read last; null: none has. The parts begin at the event times of rows, the first at the beginning. */
export type Coverage = readonly (bigint | null)[];
export const NOTHING_COVERED: Coverage = [null, ...TIMES.map(() => null)];

const partOf = ({ at }: SourceFact): number => TIMES.indexOf(at) + 1;

/** What a run reads, and the coverage after it. */
export interface SourceRead {
  readonly rows: SourceRows;
  readonly coverage: Coverage;
}

/** A row that is pushed, with the SQL of its columns in the source by name. */
export interface PushedRow {
  readonly row: SourceFact;
  readonly sql: ReadonlyMap<string, string>;
}

/** Values of the one fit the other, too: ints and floats are in wider columns what they are. */
function narrower(type: IcebergType, other: IcebergType | undefined): IcebergType {
  return other?.kind === 'int' || other?.kind === 'float' ? other : type;
}

export class OnlineSource {
  readonly name: string;
  readonly keyKind: KeyKind;
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #nextNumber: () => number;
  readonly #states = new Map<bigint, readonly SourceFact[]>();
  #rows: readonly SourceFact[] = [];
  #snapshotId: bigint | null = null;
  #commit = 0;
  /** Columns that are features, in order. */
  features: readonly NestedField[] = [];

  /** @param nextNumber of rows: no two have the same */
  constructor(lab: Lab, random: Random, name: string, keyKind: KeyKind, nextNumber: () => number) {
    this.#lab = lab;
    this.#random = random;
    this.name = name;
    this.keyKind = keyKind;
    this.#nextNumber = nextNumber;
  }

  get #identifier() {
    return { namespace: ['demo'], name: this.name };
  }

  async create(): Promise<void> {
    const keys = keyFields(this.keyKind, 3);
    const field = (id: number, name: string): NestedField => ({
      id,
      name,
      required: false,
      type: { kind: 'timestamptz' },
    });
    const features = FEATURES.map(([name, type], place) => ({ id: 10 + place, name, required: false, type }));
    const fields = [field(1, 'event_ts'), field(2, 'created'), ...keys, ...features];
    await ensureNamespace(this.#lab.catalog, this.#identifier.namespace);
    await this.#lab.catalog.createTable(this.#identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields } });
    if (this.#random.chance(0.25)) await new DeleteWriter(this.#lab, this.#identifier).upgradeToV3();
    await this.#note([]);
  }

  table(): Promise<Table> {
    return loadTable(this.#lab.catalog, this.#lab.io, this.#identifier);
  }

  /** @returns what was appended, as text */
  async append(): Promise<string> {
    this.#commit += 1;
    const sql: string[] = [];
    const table = await this.table();
    const { fields } = currentSchema(table.metadata);
    const rows = drawPlaces(this.#random, this.#rows, this.#nextNumber).map((place): SourceFact => {
      const number = this.#nextNumber();
      const { values, sql: features } = samples(this.#random, this.features, number);
      const column = ({ id, name }: NestedField): string => {
        if (name === 'event_ts') return timeSql(place.at);
        if (name === 'created') return timeSql(place.created);
        return keySql(this.keyKind, place.entity, name) ?? features.get(id) ?? 'NULL';
      };
      sql.push(`SELECT ${fields.map(column).join(', ')}`);
      return { ...place, values, commit: this.#commit, number };
    });
    const select = sql.join(' UNION ALL ');
    const files = await this.#lab.engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID(), sortBy: [] }),
    );
    await commitAppend(table, { files });
    await this.#note([...this.#rows, ...rows]);
    return `source: append ${rows.map(({ number, entity, at, created }) => `${number}: ${entity} at ${at}, ${created}`).join('; ')}`;
  }

  /**
   * Rows for a push, which each get a created time.
   * @param createdS of rows that have none of their own
   * @param online features of the online table: values fit both
   */
  drawPush(createdS: number, online: readonly NestedField[]): readonly PushedRow[] {
    this.#commit += 1;
    const drawn = this.features.map((field): NestedField => {
      const stored = online.find(({ name }) => name === field.name);
      return { ...field, type: narrower(field.type, stored?.type) };
    });
    return drawPlaces(this.#random, this.#rows, this.#nextNumber).map((place): PushedRow => {
      const created = place.created ?? createdS;
      const number = this.#nextNumber();
      const { values, sql } = samples(this.#random, drawn, number);
      const columns: readonly (readonly [string, string])[] = [
        ['event_ts', timeSql(place.at)],
        ['created', timeSql(created)],
        ...keyFields(this.keyKind, 3).map(
          ({ name }) => [name, keySql(this.keyKind, place.entity, name) ?? ''] as const,
        ),
        ...drawn.map(({ id, name }) => [name, sql.get(id) ?? 'NULL'] as const),
      ];
      return { row: { ...place, created, values, commit: this.#commit, number }, sql: new Map(columns) };
    });
  }

  /** Notes rows that a push has appended. */
  async appended(rows: readonly SourceFact[]): Promise<void> {
    await this.#note([...this.#rows, ...rows]);
  }

  /** Deletes the rows of a time. */
  async delete(): Promise<string> {
    const at = this.#random.pick(TIMES);
    const table = await this.table();
    const filter = bindExpression(
      parseExpression(`event_ts = '${new Date(at * 1000).toISOString()}'`),
      currentSchema(table.metadata),
    );
    await this.#lab.engine.withConnection((connection) => deleteRows(table, connection, { filter }));
    await this.#note(this.#rows.filter((row) => row.at !== at));
    return `source: delete rows of ${at}`;
  }

  async evolve(): Promise<string> {
    const { metadata } = await this.table();
    const fields = evolvedFields(this.#random, metadata, this.features, 'more');
    await this.#lab.update(this.#identifier, columnUpdates(metadata, fields));
    await this.#note(this.#rows);
    return `source: columns ${fields.map(({ name, type }) => `${name} ${type.kind}`).join(', ')}`;
  }

  async #note(rows: readonly SourceFact[]): Promise<void> {
    const { metadata } = await this.table();
    const keys = keyFields(this.keyKind, 3).map(({ id }) => id);
    this.features = currentSchema(metadata).fields.filter(({ id }) => id > 2 && !keys.includes(id));
    this.#rows = rows;
    this.#snapshotId = metadata.currentSnapshotId;
    if (this.#snapshotId !== null) this.#states.set(this.#snapshotId, rows);
  }

  /** What a run over `[startS, endS)` reads, in seconds since 1970; null: without this end. */
  read(coverage: Coverage, startS: number | null, endS: number | null): SourceRead {
    const isRead = coverage.map((_, part) => {
      const from = part === 0 ? Number.NEGATIVE_INFINITY : (TIMES[part - 1] ?? 0);
      return (startS ?? Number.NEGATIVE_INFINITY) <= from && from < (endS ?? Number.POSITIVE_INFINITY);
    });
    const after = coverage.map((before, part) => (isRead[part] === true ? this.#snapshotId : before));
    const known = (part: number): readonly SourceFact[] => this.#states.get(coverage[part] ?? -1n) ?? [];
    const rows = this.#rows.filter((row) => isRead[partOf(row)] === true);
    const isKnown = (row: SourceFact): boolean => known(partOf(row)).some(({ number }) => number === row.number);
    // Where all was read as of one snapshot, what came since is told from the rest by its files.
    const isUniform = new Set(coverage.filter((_, part) => isRead[part] === true)).size === 1;
    const covered = after.flatMap((snapshotId, part) =>
      (this.#states.get(snapshotId ?? -1n) ?? []).filter((row) => partOf(row) === part),
    );
    const fresh = rows.filter((row) => !isKnown(row));
    return { rows: { fresh, reread: isUniform ? [] : rows.filter(isKnown), covered }, coverage: after };
  }
}
