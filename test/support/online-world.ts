/** An online table with a random life, and the rows that it must answer with, kept in plain lists. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { deleteRows } from '../../deletes/index.js';
import { sqlType } from '../../engine/index.js';
import { type Definitions, type FeatureView, PARTITION_STRATEGIES, resolveView } from '../../features/index.js';
import {
  bindExpression,
  currentSchema,
  isUnpartitioned,
  type NestedField,
  type PartitionSpec,
  parseExpression,
  type TableMetadata,
} from '../../iceberg/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { type MaterializationDeps, materializeDirect, readPlan } from '../../materialization/index.js';
import { ensureOnlineTable, ONLINE_COLUMNS, withSharedSpec, writeOnlineBatch } from '../../online/index.js';
import { partitionFields } from '../../online/online-partitioning.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable, type Table } from '../../tables/index.js';
import type { Random } from '../worlds/random.js';
import { compactDeps } from './compaction-lab.js';
import { DeleteWriter } from './delete-writer.js';
import { deleteAsOthers } from './foreign-deletes.js';
import { type Lab, VIEW } from './materialization-lab.js';
import {
  bucketOfEntity,
  drawPlaces,
  ENTITIES,
  entityOf,
  joinKeysOf,
  type KeyKind,
  keySql,
  lookupColumns,
  TIMES,
  timeSql,
} from './online-keys.js';
import { answers, compacted, type Fact, materialized, type SourceFact } from './online-model.js';
import { pushOnline, unlessRequired } from './online-pushes.js';
import { type Coverage, NOTHING_COVERED, OnlineSource } from './online-source.js';
import { columnUpdates, evolvedFields, samples, valueOf } from './online-values.js';

/** Seconds since 1970 of the time that is now. */
export const NOW_S = 12_000;
const NOW_US = BigInt(NOW_S) * 1_000_000n;

/** In milliseconds; null and zero: rows stay valid for ever. Rows of some times are exactly so old at the times of reads, or a millisecond older. */
const TTLS = [null, null, 0n, 1_000n, 4_700_000n, 7_999_999n, 8_000_000n];

/** What the view is pushed to by. */
const PUSH_SOURCE = 'events';

/** What the table was at a snapshot. */
interface State {
  readonly facts: readonly Fact[];
  readonly coverage: Coverage;
}

/** One online table. */
export class OnlineWorld {
  readonly name: string;
  readonly keyKind: KeyKind;
  readonly steps: string[] = [];
  readonly history: bigint[] = [];
  /** What it has lived through, and how often. */
  readonly did = new Map<string, number>();
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #source: OnlineSource;
  readonly #states = new Map<bigint, State>();
  /** Another one each time that the definition changes. */
  view: FeatureView;
  /** Features of the current snapshot, which are those that reads give. */
  shown: readonly NestedField[] = [];
  #facts: readonly Fact[] = [];
  #coverage: Coverage = NOTHING_COVERED;
  #commit = 0;
  #number = 0;

  constructor(lab: Lab, random: Random, name: string) {
    this.#lab = lab;
    this.#random = random;
    this.name = name;
    this.keyKind = random.pick(['long', 'long', 'string', 'two'] as const);
    this.#source = new OnlineSource(lab, random, `source_${name}`, this.keyKind, () => (this.#number += 1));
    this.view = {
      ...VIEW,
      name,
      entities: [`entity_${name}`],
      source: { ...VIEW.source, table: `demo.${this.#source.name}` },
      pushSource: PUSH_SOURCE,
      onlineBuckets: 4,
      onlinePartitionStrategy: random.pick(PARTITION_STRATEGIES),
      ttlMs: random.pick(TTLS),
    };
  }

  get joinKeys(): readonly string[] {
    return joinKeysOf(this.keyKind);
  }

  get #definitions(): Definitions {
    return {
      entities: new Map([[`entity_${this.name}`, { name: `entity_${this.name}`, joinKeys: this.joinKeys }]]),
      featureViews: new Map([[this.name, this.view]]),
      featureServices: new Map(),
    };
  }

  get #deps(): MaterializationDeps {
    const { catalog, io, engine } = this.#lab;
    const definitions = (): Promise<Definitions> => Promise.resolve(this.#definitions);
    return { catalog, io, engine, definitions, loadSource: () => this.#source.table() };
  }

  async create(): Promise<void> {
    await this.#source.create();
    const source = await this.#source.table();
    const resolved = resolveView(this.#definitions, this.name, currentSchema(source.metadata));
    await ensureOnlineTable({ catalog: this.#lab.catalog }, resolved, source);
    // As the first small write does.
    if (this.#random.chance(0.6)) await withSharedSpec(await this.table());
    if (this.#random.chance(0.25)) await this.#upgradeToV3();
    this.shown = this.#featuresOf((await this.table()).metadata);
  }

  table(): Promise<Table> {
    return loadTable(this.#lab.catalog, this.#lab.io, this.#identifier);
  }

  get #identifier() {
    return { namespace: ['moraine_online'], name: this.name };
  }

  get #writer(): DeleteWriter {
    return new DeleteWriter(this.#lab, this.#identifier);
  }

  /** Entities of requests; two of them were never written. */
  entity(number: number): Readonly<Record<string, unknown>> {
    return entityOf(this.keyKind, number);
  }

  get entities(): readonly number[] {
    return Array.from({ length: ENTITIES + 2 }, (_, number) => number);
  }

  /**
   * @param only several commits of applications, or a compaction; anything unless given
   * @returns whether it committed a snapshot that the table did not have before
   */
  async step(only?: 'appends' | 'compaction'): Promise<boolean> {
    const random = this.#random;
    const compact = () => this.#compact(random.pick(['binpack', 'latest']));
    const any = random.weighted<() => Promise<void>>([
      [5, () => this.#appendSome()],
      [2, () => this.#writeBatch()],
      [2, () => this.#push()],
      [3, () => this.#run()],
      [1, () => this.#delete()],
      [2, () => this.#deleteAsOthers()],
      [2, compact],
      [1, () => this.#rollBack()],
      [1, () => this.#evolve()],
      [1, () => this.#respec()],
      [0.5, () => this.#upgrade()],
    ]);
    await (only === undefined ? any : only === 'appends' ? () => this.#appendSome(5) : compact)();
    const { metadata } = await this.table();
    this.shown = this.#featuresOf(metadata, metadata.currentSnapshotId);
    const current = metadata.currentSnapshotId;
    if (current === null || current === this.history.at(-1)) return false;
    this.history.push(current);
    this.#states.set(current, { facts: this.#facts, coverage: this.#coverage });
    return true;
  }

  /** The rows that reads of an entity may find; more than one only where it is not sure what a compaction has left. */
  expected(entity: number, nowS: number): readonly (Fact | null)[] {
    return answers(this.#facts, this.shown, entity, nowS);
  }

  /** Whether a read at a time finds rows of an event time too old. */
  isTooOld(atS: number, nowS: number): boolean {
    const { ttlMs } = this.view;
    return ttlMs !== null && ttlMs > 0n && BigInt(nowS - atS) * 1_000n > ttlMs;
  }

  /** @param snapshotId whose columns count; null: the table's own */
  #featuresOf(metadata: TableMetadata, snapshotId: bigint | null = null): readonly NestedField[] {
    const schemaId = metadata.snapshots.find((snapshot) => snapshot.snapshotId === snapshotId)?.schemaId;
    const schema = metadata.schemas.find((one) => one.schemaId === schemaId) ?? currentSchema(metadata);
    const others: readonly string[] = [...this.joinKeys, ...Object.values(ONLINE_COLUMNS)];
    return schema.fields.filter(({ name }) => !others.includes(name));
  }

  async #appendSome(commits = this.#random.int(1, 2)): Promise<void> {
    for (let left = commits; left > 0; left -= 1) await this.#append();
  }

  /** Rows, each with the SQL of its features. */
  #draw(features: readonly NestedField[], pushed: boolean, createdS: number | null) {
    this.#commit += 1;
    return drawPlaces(this.#random, this.#facts, () => (this.#number += 1)).map((place) => {
      const { values, sql } = samples(this.#random, features, (this.#number += 1));
      const created = place.created ?? createdS;
      const fact: Fact = { ...place, created, values, pushed, commit: this.#commit, sure: true };
      this.#countRow(fact);
      return { fact, sql, given: place.created };
    });
  }

  #count(what: string): void {
    this.did.set(what, (this.did.get(what) ?? 0) + 1);
  }

  /** What a row that an application or another engine writes is among those that are there. */
  #countRow({ entity, at, created }: Fact): void {
    if (at > NOW_S) this.#count('row of the future');
    const earlier = this.#facts.filter((fact) => fact.entity === entity && fact.at >= at);
    const equal = earlier.filter((fact) => fact.at === at);
    if (earlier.length > equal.length) this.#count('late row');
    if (equal.length > 0) this.#count(equal.some((fact) => fact.created === created) ? 'row that ties' : 'correction');
  }

  #note(what: string, facts: readonly Fact[]): void {
    this.#facts = [...this.#facts, ...facts];
    const texts = facts.map(({ entity, at, created }) => `${entity} at ${at}, ${created}`);
    this.steps.push(`${what} ${texts.join('; ')}`);
  }

  /** As another engine: rows in files of the default spec, or in one without a partition. */
  async #append(): Promise<void> {
    const random = this.#random;
    const table = await this.table();
    const drawn = this.#draw(this.#featuresOf(table.metadata), random.chance(0.3), null);
    const plain = table.metadata.partitionSpecs.find(isUnpartitioned);
    const spec = plain !== undefined && random.chance(0.5) ? { spec: plain } : {};
    const select = drawn.map(({ fact, sql }) => {
      const column = ({ id, name }: NestedField): string => this.#sql(name, fact) ?? sql.get(id) ?? 'NULL';
      return `SELECT ${currentSchema(table.metadata).fields.map(column).join(', ')}`;
    });
    const rows = { select: select.join(' UNION ALL '), namePrefix: randomUUID(), sortBy: [], ...spec };
    const files = await this.#lab.engine.withConnection((connection) => stageRows(connection, table, rows));
    await commitAppend(table, { files });
    this.#count(`append${'spec' in spec ? ' without a partition' : ''}`);
    this.#note(
      `append${'spec' in spec ? ' without a partition' : ''}:`,
      drawn.map(({ fact }) => fact),
    );
  }

  /** SQL of a column that is not a feature. */
  #sql(name: string, fact: Fact): string | undefined {
    if (name === ONLINE_COLUMNS.eventTimestamp) return timeSql(fact.at);
    if (name === ONLINE_COLUMNS.createdTimestamp) return timeSql(fact.created);
    if (name === ONLINE_COLUMNS.pushed) return String(fact.pushed);
    return keySql(this.keyKind, fact.entity, name);
  }

  /** As an application. Rows without a created time get that of the write. */
  async #writeBatch(): Promise<void> {
    const { metadata } = await this.table();
    const pushed = this.#random.chance(0.7);
    const nowS = NOW_S + (this.#number += 1);
    const drawn = this.#draw(this.#featuresOf(metadata), pushed, nowS);
    const stored = new Set(this.shown.map(({ name }) => name));
    const isRefused = this.#source.features.some(({ name }) => !stored.has(name));
    const writing = writeOnlineBatch(this.#deps, {
      view: this.name,
      pushed,
      nowUs: BigInt(nowS) * 1_000_000n,
      open: (_, { schema }) => {
        const select = drawn.map(({ fact, sql, given }) => {
          const column = ({ id, name, type }: NestedField): string =>
            `CAST(${this.#sql(name, { ...fact, created: given }) ?? sql.get(id) ?? 'NULL'} AS ${sqlType(type)})`;
          return `SELECT ${schema.fields.map(column).join(', ')}`;
        });
        return Promise.resolve(select.join(' UNION ALL '));
      },
    });
    const outcome = await writing.then(({ outcome: done }) => done, unlessRequired);
    this.#count(`batch ${outcome}`);
    expect(outcome).toBe(isRefused ? 'MATERIALIZATION_REQUIRED' : 'committed');
    const facts = isRefused ? [] : drawn.map(({ fact }) => fact);
    this.#note(`write a batch${pushed ? '' : ' that is not pushed'}, ${outcome}:`, facts);
  }

  /** As an application, to a push source: into the online table, the source table, or both. */
  async #push(): Promise<void> {
    const to = this.#random.pick(['online', 'offline', 'online_and_offline'] as const);
    const features = this.#featuresOf((await this.table()).metadata);
    const pushed = this.#source.drawPush(NOW_S + (this.#number += 1), features);
    const stored = new Set(this.shown.map(({ name }) => name));
    const isRefused = to !== 'offline' && this.#source.features.some(({ name }) => !stored.has(name));
    const outcome = await pushOnline(this.#deps, { source: PUSH_SOURCE, to }, pushed);
    this.#count(`push ${to} ${outcome}`);
    expect(outcome).toBe(isRefused ? 'MATERIALIZATION_REQUIRED' : 'committed');
    if (to !== 'online' && !isRefused) await this.#source.appended(pushed.map(({ row }) => row));
    this.#commit += 1;
    const written = pushed.map(({ row }) => ({ ...this.#written(row, features), pushed: to === 'online' }));
    this.#note(`push to ${to}, ${outcome}:`, to === 'offline' || isRefused ? [] : written);
  }

  /** New rows in the source, perhaps, and a run over all of it, up to an end, or over an old window. */
  async #run(): Promise<void> {
    const random = this.#random;
    if (random.chance(0.8)) await this.#changeSource('append');
    if (random.chance(0.1)) await this.#changeSource('append');
    if (random.chance(0.25)) await this.#changeSource('delete');
    if (random.chance(0.12)) await this.#changeSource('evolve');
    if (random.chance(0.1)) {
      const [onlinePartitionStrategy, onlineBuckets] = [random.pick(PARTITION_STRATEGIES), random.int(2, 6)];
      this.view = { ...this.view, onlinePartitionStrategy, onlineBuckets };
      this.#count('view of another strategy');
      this.steps.push(`view: ${onlinePartitionStrategy} ${onlineBuckets}`);
    }
    const [startS, endS] = this.#window();
    const read = this.#source.read(this.#coverage, startS, endS);
    const us = (seconds: number | null) => (seconds === null ? undefined : BigInt(seconds) * 1_000_000n);
    const request = { startUs: us(startS), endUs: us(endS), nowUs: NOW_US, shards: random.int(1, 2) };
    const { plan, commit } = await materializeDirect(this.#deps, { view: this.name, ...request });
    this.#count(`run ${plan.kind}`);
    this.steps.push(`run from ${startS} to ${endS}: ${plan.kind}, ${plan.reason}`);
    if (commit === null || plan.planLocation === null) return;
    const features = this.#featuresOf((await this.table()).metadata);
    // A column that the rows before the run do not have has no value of theirs.
    if (this.history.length > 0 && features.some(({ id }) => !this.shown.some((field) => field.id === id))) {
      this.#count('columns anew');
      expect(plan.kind).toBe('full');
    }
    const { rebuild, online } = await readPlan(this.#lab.io, plan.planLocation);
    this.#coverage = read.coverage;
    this.#commit += 1;
    const sourceFeatures = this.#source.features;
    this.#facts = materialized(this.#facts, {
      source: read.rows,
      isRebuilt: (entity) =>
        rebuild !== null && (rebuild.buckets?.includes(bucketOfEntity(this.keyKind, entity, online.buckets)) ?? true),
      written: (row) => this.#written(row, features),
      sourceFeatures,
      features,
      commit: this.#commit,
      nowS: NOW_S,
    });
  }

  async #changeSource(what: 'append' | 'delete' | 'evolve'): Promise<void> {
    this.steps.push(await this.#source[what]());
    this.#count(`source ${what}`);
  }

  #window(): readonly [number | null, number | null] {
    const random = this.#random;
    if (random.chance(0.5)) return [null, null];
    if (random.chance(0.3)) return [null, random.pick(TIMES)];
    const start = random.int(0, TIMES.length - 2);
    return [TIMES[start] ?? null, TIMES[random.int(start + 1, TIMES.length - 1)] ?? null];
  }

  #written(row: SourceFact, features: readonly NestedField[]): Fact {
    const values = features.map((field) => {
      const column = this.#source.features.find(({ name }) => name === field.name);
      return [field.id, column === undefined ? null : valueOf(row.values, column)] as const;
    });
    return { ...row, values: new Map(values), pushed: false, commit: this.#commit, sure: true };
  }

  /** Rows of one time. */
  async #delete(): Promise<void> {
    const at = this.#random.pick(TIMES);
    const table = await this.table();
    const filter = bindExpression(
      parseExpression(`${ONLINE_COLUMNS.eventTimestamp} = '${new Date(at * 1000).toISOString()}'`),
      currentSchema(table.metadata),
    );
    await this.#lab.engine.withConnection((connection) => deleteRows(table, connection, { filter, dryRun: false }));
    if (this.#facts.some((fact) => fact.at === at)) this.#count('deleted by Moraine');
    this.#facts = this.#facts.filter((fact) => fact.at !== at);
    this.steps.push(`delete rows of ${at}`);
  }

  /** The rows of an entity, of one of its times, or of a created time. */
  async #deleteAsOthers(): Promise<void> {
    const random = this.#random;
    if (this.#facts.length === 0) return;
    const one = random.pick(this.#facts);
    const depth = random.int(0, 2);
    const times = [ONLINE_COLUMNS.eventTimestamp, ONLINE_COLUMNS.createdTimestamp].slice(0, depth);
    const columns = [...random.pick(lookupColumns(this.keyKind)), ...times];
    const values = new Map(columns.map((name) => [name, this.#sql(name, one) ?? 'NULL']));
    const deletedBy = await deleteAsOthers(this.#lab, this.#identifier, random, values);
    this.#count(`deleted by ${deletedBy}`);
    const isGone = ({ entity, at, created }: Fact): boolean =>
      entity === one.entity && (depth < 1 || at === one.at) && (depth < 2 || created === one.created);
    this.#facts = this.#facts.filter((fact) => !isGone(fact));
    this.steps.push(`another engine deletes ${[...values.values()].join(', ')} by ${deletedBy}`);
  }

  async #compact(strategy: 'binpack' | 'latest'): Promise<void> {
    const { metadata } = await this.table();
    if (metadata.currentSnapshotId === null) return;
    const request = { table: `moraine_online.${this.name}`, strategy, allowTieChange: true };
    await compactDirect(compactDeps(this.#lab, this.#definitions), request, { nowUs: NOW_US });
    this.#count(`compacted ${strategy}`);
    this.steps.push(`compact ${strategy}`);
    this.#facts = compacted(this.#facts, this.#featuresOf(metadata), strategy, NOW_S);
  }

  async #rollBack(): Promise<void> {
    const back = this.history.at(-2);
    const state = this.#states.get(back ?? -1n);
    if (back === undefined || state === undefined) return;
    this.history.pop();
    await this.#lab.update(this.#identifier, [
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: back } },
    ]);
    this.#facts = state.facts;
    this.#coverage = state.coverage;
    this.#count('rolled back');
    this.steps.push('roll back');
  }

  /** As another engine, which leaves the source alone. */
  async #evolve(): Promise<void> {
    const { metadata } = await this.table();
    const fields = evolvedFields(this.#random, metadata, this.#featuresOf(metadata), 'added');
    await this.#lab.update(this.#identifier, columnUpdates(metadata, fields));
    this.#count('columns');
    this.steps.push(`columns ${fields.map(({ name, type }) => `${name} ${type.kind}`).join(', ')}`);
  }

  /** Adds an unpartitioned spec, other buckets, or another strategy. */
  async #respec(): Promise<void> {
    const { metadata } = await this.table();
    const specId = Math.max(...metadata.partitionSpecs.map((spec) => spec.specId)) + 1;
    const isPlain = this.#random.chance(0.4);
    const isKnown = metadata.partitionSpecs.some(isUnpartitioned);
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
    this.#count(isPlain ? 'spec without fields' : `spec ${strategy}`);
    this.steps.push(`add spec ${isPlain ? 'without fields' : `${strategy} ${numBuckets}`}`);
  }

  async #upgrade(): Promise<void> {
    const { metadata } = await this.table();
    if (metadata.formatVersion === 3 || !this.#random.chance(0.3)) return;
    await this.#upgradeToV3();
    this.steps.push('upgrade to version 3');
  }

  async #upgradeToV3(): Promise<void> {
    await this.#writer.upgradeToV3();
    this.#count('version 3');
  }
}
