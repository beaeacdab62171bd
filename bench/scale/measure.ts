/** One run of the jobs `scale` and `scale-beyond`: what is known of it before, and what it costs. */
import { randomUUID } from 'node:crypto';
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  entitiesOfTable,
  type MaterializationFacts,
  materializationFacts,
  type RetrievalFacts,
  retrievalFacts,
} from '../../estimates/index.js';
import { collectDefinitions, defineEntity, defineFeatureView, parseDefinitions } from '../../features/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import {
  commitMaterialization,
  discardReducedRows,
  extractShard,
  type MaterializationDeps,
  planMaterialization,
  reducePart,
} from '../../materialization/index.js';
import { datasetDeps, materializationDeps, type Project } from '../../project/index.js';
import { measureTraffic, noTraffic } from '../../storage/index.js';
import { commitTrainingSet, planTrainingSet, reduceTrainingPart, stageTrainingShard } from '../../training/index.js';
import type { BenchContext } from '../job.js';
import { type BenchStore, openStoreProject, startStore } from '../store.js';
import { makeFilledTable, openBenchProject, SPAN_DAYS } from '../world.js';
import type { ScaleCase, ScaleGrid, ScaleTable } from './cases.js';
import { flattened } from './flat.js';

const KEY = 'entity_id';

/** Makes the tables, in the store, and those that local runs read, on the disk. */
export async function prepareTables(context: BenchContext, { tables, cases }: ScaleGrid): Promise<void> {
  const store = await startStore(context.dataFolder);
  const inStore = await openStoreProject(context.dataFolder, store, join(context.dataFolder, 'cache'));
  const local = await openBenchProject(context.dataFolder);
  for (const [name, table] of Object.entries(tables)) {
    const isRead = (one: ScaleCase): boolean => one.table === name;
    await makeTables(inStore, name, table, cases.filter(isRead));
    const ofLocal = cases.filter((one) => isRead(one) && one.local === true);
    if (ofLocal.length > 0) await makeTables(local, name, table, ofLocal);
  }
  await local.close();
  await inStore.close();
  await store.close();
}

/** Names and types of the features of a table. */
function featuresOf({ doubles, ints = 0, texts = 0 }: ScaleTable): ReadonlyMap<string, string> {
  const named = (prefix: string, count: number, type: string) =>
    Array.from({ length: count }, (_, index) => [`${prefix}${index}`, type] as const);
  return new Map([...named('d', doubles, 'double'), ...named('i', ints, 'int'), ...named('t', texts, 'string')]);
}

async function makeTables(
  project: Project,
  name: string,
  table: ScaleTable,
  cases: readonly ScaleCase[],
): Promise<void> {
  const features = featuresOf(table);
  const keyType = table.textKeys === true ? 'string' : 'long';
  const columns = { [KEY]: keyType, event_ts: 'timestamp', ...Object.fromEntries(features) };
  const perFile = Math.ceil(table.rows / table.files);
  const selects = Array.from({ length: table.files }, (_, file) => {
    const [from, to] = [file * perFile, Math.min(table.rows, (file + 1) * perFile)];
    const values = [...features].map(([feature, type], index) => `${valueSql(type, index + 2)} AS ${feature}`);
    return `SELECT ${keySql(table, 'n')} AS ${KEY}, ${timeSql(1)} AS event_ts, ${values.join(', ')} FROM range(${from}, ${to}) t(n)`;
  });
  await makeFilledTable(project, name, columns, selects);
  for (const entityRows of new Set(cases.flatMap((one) => (one.run === 'retrieve' ? [one.entityRows] : [])))) {
    const entityColumns = { [KEY]: keyType, event_timestamp: 'timestamp', label: 'int' };
    const select = `SELECT ${keySql(table, 'n + 7000000')} AS ${KEY}, ${timeSql(9)} AS event_timestamp, (n % 2)::INTEGER AS label FROM range(${entityRows}) t(n)`;
    await makeFilledTable(project, entityTable(name, entityRows), entityColumns, [select]);
  }
  const entity = defineEntity({ name: `${name}_entity`, joinKeys: [KEY] });
  const view = defineFeatureView({
    name,
    entities: [entity],
    source: { table: `bench.${name}`, timestampField: 'event_ts' },
    online: true,
    features: [...features].map(([feature, type]) => ({ name: feature, type: type as 'double' })),
  });
  await (await project.registry()).apply(parseDefinitions([{ value: collectDefinitions([entity, view]) }]), {});
}

const entityTable = (name: string, entityRows: number): string => `${name}_rows_${entityRows}`;

function keySql({ entities, textKeys }: ScaleTable, number: string): string {
  const id = `(hash(${number}) % ${entities})`;
  return textKeys === true ? `'user-' || lpad(${id}::VARCHAR, 9, '0')` : `${id}::BIGINT`;
}

const timeSql = (salt: number): string =>
  `TIMESTAMP '2026-01-01' + to_microseconds((hash(n + ${salt}000000000) % ${SPAN_DAYS * 86_400_000})::BIGINT * 1000)`;

function valueSql(type: string, salt: number): string {
  const drawn = (most: number): string => `(hash(n + ${salt}000000000) % ${most})`;
  if (type === 'int') return `${drawn(1000)}::INTEGER`;
  return type === 'string' ? `'value ' || ${drawn(5000)}` : `${drawn(1_000_000)}::DOUBLE / 7`;
}

/** Projects of one run: each is a worker with nothing fetched before. */
class Workers {
  readonly #open: () => Promise<Project>;
  readonly #projects: Project[] = [];

  constructor(open: () => Promise<Project>) {
    this.#open = open;
  }

  /** The worker of a shard. The first also plans and commits. */
  async of(shard: number): Promise<Project> {
    const project = this.#projects[shard] ?? (await this.#open());
    this.#projects[shard] = project;
    return project;
  }

  async close(): Promise<void> {
    for (const project of this.#projects) await project.close();
  }
}

interface Run {
  readonly facts: MaterializationFacts | RetrievalFacts;
  /** Plans, works on every shard, commits, and says when it begins with each. */
  readonly work: (phase: (name: 'plan' | 'shards' | 'commit') => void) => Promise<void>;
  readonly catalogCalls: () => number;
}

/** Runs a case. @returns its facts and costs, as numbers with dotted names */
export async function measureCase(
  context: BenchContext,
  { table, one }: { readonly table: ScaleTable; readonly one: ScaleCase },
  measure: <T>(body: () => Promise<T>) => Promise<T>,
): Promise<Readonly<Record<string, number>>> {
  const known = table.textKeys === true ? table.entities : undefined;
  const store = one.local === true ? undefined : await startStore(context.dataFolder);
  if (store !== undefined) copyFileSync(join(context.dataFolder, 'store.db'), join(context.scratchFolder, 'store.db'));
  const workers = new Workers(() => openWorker(context, one, store));
  const before = new Set(objectsOf(context, store));
  try {
    const run =
      one.run === 'materialize' ? await materialization(workers, one, known) : await retrieval(workers, one, known);
    const traffic = noTraffic();
    const phases = new Phases();
    await measureTraffic(traffic, () => measure(() => run.work((name) => phases.begin(name))));
    phases.end();
    const added = objectsOf(context, store).filter((path) => !before.has(path));
    for (const path of added) rmSync(path, { force: true });
    return {
      ...flattened(run.facts),
      ...phases.seconds,
      'traffic.requests': traffic.requests,
      'traffic.readBytes': traffic.readBytes,
      'traffic.writtenBytes': traffic.writtenBytes,
      'traffic.objects': added.length,
      catalogCalls: run.catalogCalls(),
    };
  } finally {
    await workers.close();
    await store?.close();
  }
}

function openWorker(context: BenchContext, one: ScaleCase, store: BenchStore | undefined): Promise<Project> {
  const online = one.run === 'materialize' ? { buckets: one.buckets } : {};
  if (store === undefined) return openBenchProject(context.dataFolder, '4GB', [], online);
  const cache = join(context.scratchFolder, `cache-${randomUUID()}`);
  return openStoreProject(context.scratchFolder, store, cache, online);
}

/** Files of the store, which are its objects. */
function objectsOf({ dataFolder }: BenchContext, store: BenchStore | undefined): readonly string[] {
  if (store === undefined) return [];
  const entries = readdirSync(join(dataFolder, 'store', 'bench'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** CPU seconds of the parts of a run. */
class Phases {
  readonly seconds: Record<string, number> = {};
  #current: string | undefined;
  #usage = process.cpuUsage();

  begin(name: string): void {
    this.end();
    this.#current = name;
    this.#usage = process.cpuUsage();
  }

  end(): void {
    if (this.#current === undefined) return;
    const { user, system } = process.cpuUsage(this.#usage);
    this.seconds[`cpu.${this.#current}`] = (user + system) / 1e6;
    this.#current = undefined;
  }
}

/** Counts calls of an object's methods. */
function counting<T extends object>(target: T, count: () => void): T {
  return new Proxy(target, {
    get: (of, key) => {
      const member: unknown = Reflect.get(of, key, of);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        count();
        return Reflect.apply(member, of, given) as unknown;
      };
    },
  });
}

/** @param known entities, where keys are texts and metadata does not tell */
async function materialization(workers: Workers, one: ScaleCase, known: number | undefined): Promise<Run> {
  const view = one.table;
  let calls = 0;
  const depsOf = async (shard: number): Promise<MaterializationDeps> => {
    const deps = await materializationDeps(await workers.of(shard));
    return { ...deps, catalog: counting(deps.catalog, () => (calls += 1)) };
  };
  const first = await workers.of(0);
  const catalog = await first.catalog();
  const online = { namespace: ['moraine_online'], name: view };
  if (one.local === true && (await catalog.tableExists(online))) await catalog.dropTable(online);
  // A worker of its own, so that those that run have fetched nothing.
  const looking = await materializationDeps(await workers.of(one.shards));
  const { shards } = one;
  const { facts } = await materializationFacts(looking, { view, shards, entities: known });
  const work: Run['work'] = async (phase) => {
    phase('plan');
    const plan = await planMaterialization(await depsOf(0), { view, shards: one.shards, attemptId: randomUUID() });
    const { planLocation } = plan;
    if (planLocation === null) throw new Error('there was nothing to do');
    phase('shards');
    const lists: string[] = [];
    for (let part = 0; part < (plan.reduction?.parts ?? 0); part += 1) {
      const { reducedLocation } = await reducePart(await depsOf(part % plan.shards), planLocation, part);
      if (reducedLocation !== null) lists.push(reducedLocation);
    }
    const reduced = plan.reduction === null ? undefined : lists;
    const manifests: string[] = [];
    for (let shard = 0; shard < plan.shards; shard += 1) {
      const { manifestLocation } = await extractShard(await depsOf(shard), planLocation, shard, { reduced });
      if (manifestLocation !== null) manifests.push(manifestLocation);
    }
    phase('commit');
    await commitMaterialization(await depsOf(0), planLocation, manifests);
    await discardReducedRows((await depsOf(0)).io, planLocation, lists);
  };
  return { facts, work, catalogCalls: () => calls };
}

async function retrieval(
  workers: Workers,
  one: Extract<ScaleCase, { run: 'retrieve' }>,
  known: number | undefined,
): Promise<Run> {
  const entities = `bench.${entityTable(one.table, one.entityRows)}`;
  const name = `saved_${randomUUID().replaceAll('-', '')}`;
  const request = {
    name,
    features: [{ view: one.table }],
    entities: { table: entities },
    to: `bench.${name}`,
    shards: one.shards,
    pin: false,
    fullFeatureNames: false,
    knownAsOf: false,
  };
  let calls = 0;
  const depsOf = async (shard: number) => {
    const deps = await datasetDeps(await workers.of(shard));
    const resolveTarget: typeof deps.resolveTarget = async (target) => {
      const resolved = await deps.resolveTarget(target);
      return { ...resolved, catalog: counting(resolved.catalog, () => (calls += 1)) };
    };
    return { ...deps, resolveTarget };
  };
  const looking = await datasetDeps(await workers.of(one.shards));
  const table = await looking.loadSource(entities);
  const source = { table, snapshot: currentSnapshot(table.metadata), schema: currentSchema(table.metadata) };
  const { facts } = await retrievalFacts(
    looking,
    { features: [one.table] },
    { ...(await entitiesOfTable(source)), entities: known },
    { shards: one.shards },
  );
  const work: Run['work'] = async (phase) => {
    phase('plan');
    const { planLocation, shards, parts } = await planTrainingSet(await depsOf(0), request);
    phase('shards');
    const lists: (string | null)[] = [];
    for (let part = 0; part < parts; part += 1) {
      const reduced = await reduceTrainingPart(await depsOf(part % shards), planLocation, part);
      lists.push(reduced.reducedLocation);
    }
    const reduced = parts === 0 ? undefined : lists;
    const staged = [];
    for (let shard = 0; shard < shards; shard += 1) {
      staged.push(await stageTrainingShard(await depsOf(shard), planLocation, shard, { reduced }));
    }
    phase('commit');
    await commitTrainingSet(
      await depsOf(0),
      planLocation,
      staged,
      lists.flatMap((list) => list ?? []),
    );
  };
  return { facts, work, catalogCalls: () => calls };
}
