/** An online table with a random life, and the rows that it has, kept in plain lists. */
import { randomUUID } from 'node:crypto';
import { ensureNamespace } from '../../catalogs/index.js';
import { deleteRows } from '../../deletes/index.js';
import { quoteLiteral } from '../../engine/index.js';
import { type FeatureView, PARTITION_STRATEGIES, type PartitionStrategy, resolveView } from '../../features/index.js';
import {
  bindExpression,
  currentSchema,
  type IcebergType,
  type NestedField,
  type PartitionSpec,
  parseExpression,
  type Schema,
} from '../../iceberg/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { encodeEntityKey, ensureOnlineTable, ONLINE_COLUMNS, withSharedSpec } from '../../online/index.js';
import { partitionFields } from '../../online/online-partitioning.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import type { Random } from '../worlds/random.js';
import { compactDeps } from './compaction-lab.js';
import { DeleteWriter } from './delete-writer.js';
import { type Lab, VIEW } from './materialization-lab.js';

/** Seconds since 1970 of the time that is now. */
export const NOW_S = 12_000;
/** In several hours, of the past and of the future. */
const TIMES = [100, 300, 3_600, 4_000, 7_300, 11_999, 12_000, 12_001, 20_000];
const ENTITIES = 10;

export type KeyKind = 'long' | 'string' | 'two';

/** A row as it was written. */
interface Fact {
  readonly entity: number;
  readonly at: number;
  readonly created: number | null;
  readonly values: readonly (string | null)[];
  /** By a client, not by a run. */
  readonly pushed: boolean;
  /** Number of the commit. */
  readonly commit: number;
}

interface Feature {
  readonly name: string;
  readonly type: IcebergType;
  /** SQL of a value by a random number. */
  readonly sql: (number: number) => string;
}

const FEATURES: readonly Feature[] = [
  {
    name: 'v',
    type: { kind: 'double' },
    sql: (n) => (n % 7 === 0 ? `'NaN'::DOUBLE` : n % 7 === 1 ? '-0.0::DOUBLE' : `${n}::DOUBLE / 3`),
  },
  { name: 's', type: { kind: 'string' }, sql: (n) => `'text ${n} é😀'` },
  { name: 'n', type: { kind: 'long' }, sql: (n) => `9007199254740993::BIGINT + ${n}` },
  { name: 'd', type: { kind: 'decimal', precision: 20, scale: 2 }, sql: (n) => `(-${n}.25)::DECIMAL(20, 2)` },
  { name: 'b', type: { kind: 'boolean' }, sql: (n) => `${n % 2 === 0}` },
  { name: 'u', type: { kind: 'uuid' }, sql: (n) => `'00000000-0000-0000-0000-${String(n).padStart(12, '0')}'::UUID` },
  { name: 'x', type: { kind: 'binary' }, sql: (n) => `'\\x00\\xFF'::BLOB || encode('${n}')` },
  {
    name: 'l',
    type: { kind: 'list', elementId: 100, element: { kind: 'int' }, elementRequired: false },
    sql: (n) => `[${n}, NULL, 3]::INTEGER[]`,
  },
];

/** One online table. */
export class OnlineWorld {
  readonly name: string;
  readonly keyKind: KeyKind;
  readonly strategy: PartitionStrategy;
  readonly steps: string[] = [];
  readonly #lab: Lab;
  readonly #random: Random;
  #facts: readonly Fact[] = [];
  /** Entities of which rows were deleted that are not known, or before older ones. */
  readonly vague = new Set<number>();
  readonly #states = new Map<bigint, readonly Fact[]>();
  #commit = 0;
  #number = 0;
  #names = FEATURES.map(({ name }) => name);
  readonly history: bigint[] = [];

  constructor(lab: Lab, random: Random, name: string) {
    this.#lab = lab;
    this.#random = random;
    this.name = name;
    this.keyKind = random.pick(['long', 'long', 'string', 'two']);
    this.strategy = random.pick(PARTITION_STRATEGIES);
  }

  get joinKeys(): readonly string[] {
    return this.keyKind === 'two' ? ['a', 'k'] : ['k'];
  }

  get view(): FeatureView {
    return {
      ...VIEW,
      name: this.name,
      entities: [`entity_${this.name}`],
      onlineBuckets: 4,
      onlinePartitionStrategy: this.strategy,
    };
  }

  async create(): Promise<void> {
    const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
    const key: IcebergType = { kind: this.keyKind === 'string' ? 'string' : 'long' };
    const schema: Schema = {
      schemaId: 0,
      identifierFieldIds: [],
      fields: [
        field(1, 'k', key),
        field(2, 'event_ts', { kind: 'timestamptz' }),
        field(3, 'created', { kind: 'timestamptz' }),
        ...(this.keyKind === 'two' ? [field(4, 'a', { kind: 'string' })] : []),
        ...FEATURES.map(({ name, type }, index) => field(10 + index, name, type)),
      ],
    };
    const definitions = {
      entities: new Map([[`entity_${this.name}`, { name: `entity_${this.name}`, joinKeys: this.joinKeys }]]),
      featureViews: new Map([[this.name, this.view]]),
      featureServices: new Map(),
    };
    const source = { namespace: ['demo'], name: `source_${this.name}` };
    await ensureNamespace(this.#lab.catalog, source.namespace);
    await this.#lab.catalog.createTable(source, { schema });
    await ensureOnlineTable(
      this.#lab.catalog,
      resolveView(definitions, this.name, schema),
      await loadTable(this.#lab.catalog, this.#lab.io, source),
    );
    // As the first small write does.
    if (this.#random.chance(0.6)) await withSharedSpec(await this.table());
  }

  table(): Promise<Table> {
    return loadTable(this.#lab.catalog, this.#lab.io, this.#identifier);
  }

  get #identifier() {
    return { namespace: ['moraine_online'], name: this.name };
  }

  /** Entities of requests; two of them were never written. */
  entity(number: number): Readonly<Record<string, unknown>> {
    if (this.keyKind === 'two') return { a: `a${number % 3}`, k: number };
    return { k: this.keyKind === 'string' ? `key-é-${number}` : number };
  }

  get entities(): readonly number[] {
    return Array.from({ length: ENTITIES + 2 }, (_, number) => number);
  }

  /** @returns whether it committed a snapshot that the table did not have before */
  async step(): Promise<boolean> {
    const random = this.#random;
    const step = random.weighted<() => Promise<void>>([
      [8, () => this.#appendSome()],
      [2, () => this.#delete()],
      [1, () => this.#deleteAsOthers()],
      [2, () => this.#compact(random.pick(['binpack', 'latest']))],
      [1, () => this.#rollBack()],
      [1, () => this.#evolve()],
      [1, () => this.#respec()],
      [1, () => this.#upgrade()],
    ]);
    await step();
    const { metadata } = await this.table();
    const current = metadata.currentSnapshotId;
    if (current === null || current === this.history.at(-1)) return false;
    this.history.push(current);
    this.#states.set(current, this.#facts);
    return true;
  }

  /** The values that a map of the rows has for an entity; undefined where features would decide. */
  expected(entity: number, nowS: number): Fact | null | undefined {
    if (this.vague.has(entity)) return undefined;
    const rows = this.#facts.filter((fact) => fact.entity === entity && fact.at <= nowS).sort(newerFirst);
    const [first, second] = rows;
    if (first === undefined) return null;
    const isTied = first.at === second?.at && first.created === second.created && first.commit === second.commit;
    return isTied ? undefined : first;
  }

  async #appendSome(): Promise<void> {
    for (let commits = this.#random.int(1, 3); commits > 0; commits -= 1) await this.#append();
  }

  async #append(): Promise<void> {
    const random = this.#random;
    this.#commit += 1;
    let last: Fact | undefined;
    const pushed = random.chance(0.3);
    const facts = Array.from({ length: random.int(1, 6) }, (): Fact => {
      const number = (this.#number += 1);
      // Rows that tie in all but their features, with rows of this or of earlier commits.
      const earlier = this.#facts.length > 0 && random.chance(0.3) ? random.pick(this.#facts) : undefined;
      const place = last !== undefined && random.chance(0.3) ? last : earlier;
      return (last = {
        entity: place?.entity ?? random.int(0, ENTITIES - 1),
        at: place?.at ?? random.pick(TIMES),
        created: place === undefined ? random.pick([null, 1, 2, number]) : place.created,
        values: FEATURES.map(({ sql }) => (random.chance(0.1) ? null : sql(number))),
        pushed,
        commit: this.#commit,
      });
    });
    const table = await this.table();
    const plain = table.metadata.partitionSpecs.find(({ fields }) => fields.length === 0);
    const spec = plain !== undefined && random.chance(0.5) ? { spec: plain } : {};
    const schema = currentSchema(table.metadata);
    const select = facts.map((fact) => `SELECT ${schema.fields.map((field) => this.#sql(field, fact)).join(', ')}`);
    const rows = { select: select.join(' UNION ALL '), namePrefix: randomUUID(), sortBy: [], ...spec };
    const files = await this.#lab.engine.withConnection((connection) => stageRows(connection, table, rows));
    await commitAppend(table, { files });
    this.#facts = [...this.#facts, ...facts];
    this.steps.push(`append ${JSON.stringify(facts)} ${plain === undefined ? '' : JSON.stringify(spec)}`);
  }

  #sql({ name }: NestedField, fact: Fact): string {
    const entity = this.entity(fact.entity);
    const time = (seconds: number | null): string =>
      seconds === null ? 'NULL::TIMESTAMPTZ' : `make_timestamptz(${seconds * 1e6})`;
    switch (name) {
      case 'k':
        return typeof entity['k'] === 'string' ? quoteLiteral(entity['k']) : `${String(entity['k'])}::BIGINT`;
      case 'a':
        return quoteLiteral(String(entity['a']));
      case ONLINE_COLUMNS.entityKey: {
        const parts = [
          { name: 'a', type: { kind: 'string' as const } },
          { name: 'k', type: { kind: 'long' as const } },
        ];
        return quoteLiteral(encodeEntityKey(parts, [String(entity['a']), BigInt(fact.entity)]));
      }
      case ONLINE_COLUMNS.eventTimestamp:
        return time(fact.at);
      case ONLINE_COLUMNS.createdTimestamp:
        return time(fact.created);
      case ONLINE_COLUMNS.pushed:
        return String(fact.pushed);
      default:
        return fact.values[this.#names.indexOf(name)] ?? 'NULL';
    }
  }

  async #delete(): Promise<void> {
    const at = this.#random.pick(TIMES);
    const table = await this.table();
    if (table.metadata.currentSnapshotId === null) return;
    const filter = bindExpression(
      parseExpression(`${ONLINE_COLUMNS.eventTimestamp} = '${new Date(at * 1000).toISOString()}'`),
      currentSchema(table.metadata),
    );
    await this.#lab.engine.withConnection((connection) => deleteRows(table, connection, { filter, dryRun: false }));
    // A row before it may be the newest now, or compaction may have dropped that.
    for (const fact of this.#facts) if (fact.at === at && this.older.has(fact.entity)) this.vague.add(fact.entity);
    this.#facts = this.#facts.filter((fact) => fact.at !== at);
    this.steps.push(`delete rows of ${at}`);
  }

  /** A position-delete file of another engine's for the first row of a file. */
  async #deleteAsOthers(): Promise<void> {
    const table = await this.table();
    const { schema, snapshot } = selectSnapshot(table.metadata);
    if (snapshot === null || table.metadata.formatVersion === 3 || this.keyKind === 'two') return;
    const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: true });
    const planned = files.find(({ file }) => file.recordCount === 1n);
    if (planned === undefined) return;
    const { file } = planned;
    const found = await this.#lab.engine.withConnection((connection) =>
      connection.rows(`SELECT k, epoch_us(event_timestamp)::VARCHAR FROM read_parquet('${file.filePath}')`),
    );
    const writer = new DeleteWriter(this.#lab, this.#identifier);
    const { specId, partition } = file;
    await writer.commit([await writer.positions([{ path: file.filePath, position: 0 }], { specId, partition })]);
    const [k, at] = found[0] ?? [];
    this.steps.push(`another engine deletes ${String(k)} at ${String(at)}`);
    // Which of several equal rows it was is not in the model.
    for (const entity of this.entities)
      if (this.entity(entity)['k'] === (typeof k === 'bigint' ? Number(k) : k)) this.vague.add(entity);
  }

  async #compact(strategy: 'binpack' | 'latest'): Promise<void> {
    const { metadata } = await this.table();
    if (metadata.currentSnapshotId === null) return;
    const definitions = {
      entities: new Map([[`entity_${this.name}`, { name: `entity_${this.name}`, joinKeys: this.joinKeys }]]),
      featureViews: new Map([[this.name, this.view]]),
      featureServices: new Map(),
    };
    const request = { table: `moraine_online.${this.name}`, strategy, allowTieChange: true };
    await compactDirect(compactDeps(this.#lab, definitions), request, { nowUs: BigInt(NOW_S) * 1_000_000n });
    this.steps.push(`compact ${strategy}`);
    for (const entity of this.entities) {
      const rows = this.#facts.filter((fact) => fact.entity === entity);
      // Which files are rewritten is compaction's own choice: older rows may be there or not.
      if (strategy === 'latest' && rows.length > 1) this.older.add(entity);
    }
  }

  /** Entities of which rows before now may have been dropped. */
  readonly older = new Set<number>();

  async #rollBack(): Promise<void> {
    const back = this.history.at(-2);
    if (back === undefined) return;
    this.history.pop();
    await this.#lab.update(this.#identifier, [
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: back } },
    ]);
    this.#facts = this.#states.get(back) ?? [];
    this.steps.push('roll back');
  }

  /** Renames a column, or adds one. */
  async #evolve(): Promise<void> {
    const { metadata } = await this.table();
    const schema = currentSchema(metadata);
    const schemaId = Math.max(...metadata.schemas.map((one) => one.schemaId)) + 1;
    const old = this.#names[0] as string;
    const name = `${old}_`;
    const fields = this.#random.chance(0.5)
      ? schema.fields.map((field) => (field.name === old ? { ...field, name } : field))
      : [
          ...schema.fields,
          { id: metadata.lastColumnId + 1, name: `added_${schemaId}`, required: false, type: { kind: 'int' } as const },
        ];
    if (fields.length === schema.fields.length) this.#names = [name, ...this.#names.slice(1)];
    await this.#lab.update(this.#identifier, [
      { action: 'add-schema', schema: { ...schema, schemaId, fields } },
      { action: 'set-current-schema', schemaId },
    ]);
    this.steps.push(`evolve ${fields.map((field) => field.name).join()}`);
  }

  /** Adds an unpartitioned spec, other buckets, or another strategy. */
  async #respec(): Promise<void> {
    const { metadata } = await this.table();
    const specId = Math.max(...metadata.partitionSpecs.map((spec) => spec.specId)) + 1;
    const isPlain = this.#random.chance(0.4);
    const isKnown = metadata.partitionSpecs.some((one) => one.fields.length === 0);
    if (isPlain && isKnown) return;
    const idOf = (name: string): number => currentSchema(metadata).fields.find((one) => one.name === name)?.id ?? 0;
    const numBuckets = this.#random.int(2, 9);
    const strategy = this.#random.pick(PARTITION_STRATEGIES);
    const columns = {
      keyId: idOf(this.keyKind === 'two' ? ONLINE_COLUMNS.entityKey : 'k'),
      eventTimeId: idOf(ONLINE_COLUMNS.eventTimestamp),
    };
    const fields = partitionFields({ strategy, buckets: numBuckets }, columns, {
      key: `k${specId}`,
      eventTime: `t${specId}`,
    });
    const spec: PartitionSpec = {
      specId,
      fields: isPlain
        ? []
        : fields.map((field, index) => ({ ...field, fieldId: metadata.lastPartitionId + 1 + index })),
    };
    await this.#lab.update(this.#identifier, [
      { action: 'add-spec', spec },
      ...(isPlain ? [] : [{ action: 'set-default-spec' as const, specId }]),
    ]);
    this.steps.push(`add spec ${isPlain ? 'without fields' : `${strategy} ${numBuckets}`}`);
  }

  async #upgrade(): Promise<void> {
    const { metadata } = await this.table();
    if (metadata.formatVersion === 3 || !this.#random.chance(0.3)) return;
    await new DeleteWriter(this.#lab, this.#identifier).upgradeToV3();
    this.steps.push('upgrade to version 3');
  }
}

/** By event time, then `created`, then commit. */
function newerFirst(a: Fact, b: Fact): number {
  return b.at - a.at || (b.created ?? -1) - (a.created ?? -1) || b.commit - a.commit;
}
