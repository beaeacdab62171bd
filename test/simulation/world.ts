/** One simulated world: a table, those who work on it, and the oracle that watches. Everything in it follows from the seed. */
import type { Catalog, Clock, CreateTableRequest, TableIdentifier } from '../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../catalogs/memory/memory-catalog.js';
import { parseTableMetadata, type TableMetadata } from '../../iceberg/index.js';
import { CLOCK_PREFIX } from '../../maintenance/sweep/storage-clock.js';
import type { FileIO } from '../../storage/index.js';
import { loadTable, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { Random } from '../worlds/random.js';
import { type Gate, OPEN_GATE } from './gate.js';
import { MemoryFileIO, MemoryStorage, type StorageTraits } from './memory-file-io.js';
import { Model, Violation } from './model.js';
import { RequirementsOnly } from './requirements-only.js';
import { type Letter, type PlacedRow, readLetters, readLiveRows } from './row-files.js';
import { type Faults, Scheduler, type Worker } from './scheduler.js';
import { seedIds } from './seeded-ids.js';

/** Orphans that are younger stay: longer than any writer without a lease goes on, and than requests travel. */
export const GRACE_MS = 60_000;

export const IDENTIFIER = { namespace: ['shop'], name: 'orders' };
/** The table of dead letters, in worlds that have one. */
export const DEAD_LETTERS = { namespace: ['shop'], name: 'dead_letters' };

const TABLE: CreateTableRequest = {
  schema: {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [
      { id: 1, name: 'id', required: true, type: { kind: 'long' } },
      { id: 2, name: 'k', required: true, type: { kind: 'long' } },
      { id: 3, name: 'p', required: true, type: { kind: 'int' } },
    ],
  },
  partitionSpec: { specId: 0, fields: [{ sourceId: 3, fieldId: 1000, name: 'p', transform: { kind: 'identity' } }] },
};

const PROPERTIES = new Map([
  ['commit.retry.min-wait-ms', '50'],
  ['commit.retry.max-wait-ms', '500'],
  ['commit.status-check.min-wait-ms', '100'],
  ['commit.status-check.max-wait-ms', '500'],
  ['commit.manifest.min-count-to-merge', '3'],
  ['write.metadata.previous-versions-max', '3'],
]);

/** How wild a world is. */
const WEATHER: readonly Faults[] = [
  { failure: 0, lostAnswer: 0, late: 0, duplicate: 0, crash: 0 },
  { failure: 0.01, lostAnswer: 0.04, late: 0.04, duplicate: 0.04, crash: 0.002 },
  { failure: 0.03, lostAnswer: 0.02, late: 0.08, duplicate: 0.02, crash: 0.01 },
];

/** How much later than everything else lists show what has changed, at most; for longer than orphans must be old, too. */
const LIST_LAGS_MS = [0, 5_000, 300_000];

/** The means of a worker: its own way to the shared table, through its own gate. */
export interface Client {
  readonly worker: Worker;
  readonly io: FileIO;
  readonly catalog: Catalog;
  /** @param identifier the table that the world is about, unless given */
  load(identifier?: TableIdentifier): Promise<Table>;
  random: Random;
}

/** One that goes on where it was when its worker has died: what it keeps in mind is outside of any worker. */
export type Role = (client: Client) => Promise<void>;

let opened = 0;

export class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly model = new Model();
  readonly storage: MemoryStorage;
  /** Workers that may delete nothing but old files. */
  readonly sweepers = new Set<Worker>();
  readonly #pointers = new MemoryPointers();
  readonly #root: string;
  /** The server of a catalog that has only requirements; null: workers swap the pointer themselves. */
  readonly #server: RequirementsOnly | null;
  /** Called after every commit to their table. */
  readonly #watchers: { readonly table: string; readonly check: () => Promise<void> }[] = [];
  /** Told of every commit to another table than that of the world, at the moment when its pointer moves. */
  onOtherSwap: (metadata: TableMetadata) => void = () => undefined;
  readonly #checks: Promise<void>[] = [];
  #workers = 0;

  /** @param traits of the storage, in place of those that the seed gives it */
  constructor(seed: number, traits: StorageTraits = {}) {
    this.random = new Random(`simulation ${seed}`);
    seedIds(new Random(`ids ${seed}`));
    this.scheduler = new Scheduler(this.random, this.random.pick(WEATHER));
    const ofStore = new Random(`store ${seed}`);
    const listLagMs = ofStore.pick(LIST_LAGS_MS);
    this.storage = new MemoryStorage(() => this.scheduler.nowMs, { listLagMs, ...traits });
    opened += 1;
    // Caches know files by path.
    this.#root = `${ofStore.chance(0.5) ? '/' : 'memory://store/'}world-${String(opened).padStart(8, '0')}`;
    this.#server = this.random.chance(0.5) ? new RequirementsOnly(this.#catalog(OPEN_GATE, this.#calmClock())) : null;
  }

  /** Creates the table. Before the simulation begins, without faults. @param properties of the table, beside those of every table */
  async create(properties: ReadonlyMap<string, string> = new Map()): Promise<void> {
    const { catalog } = this.#calmClient('creator');
    const formatVersion = this.random.pick([2, 3] as const);
    await catalog.createNamespace(IDENTIFIER.namespace);
    const { metadata } = await catalog.createTable(IDENTIFIER, {
      ...TABLE,
      properties,
      formatVersion,
    });
    this.model.metadata = metadata;
    this.#pointers.onSwap = (_from, to) => {
      const { content } = this.storage.require(to);
      const { name } = IDENTIFIER;
      const isOfWorld = to.startsWith(`${metadata.location}/`);
      if (isOfWorld) this.model.onSwap(content);
      else this.onOtherSwap(parseTableMetadata(content));
      const watching = this.#watchers.filter(({ table }) => (table === name) === isOfWorld);
      this.#checks.push(...watching.map(({ check }) => check()));
    };
  }

  /** Lets somebody do something before the simulation begins, without faults. */
  prepare(role: Role): Promise<void> {
    return role(this.#calmClient('creator'));
  }

  /** Reads a table after every commit to it, before anything else happens. @param check throws a {@link Violation} */
  watch(check: (table: Table) => Promise<void>, identifier: TableIdentifier = IDENTIFIER): void {
    const watcher = this.#calmClient('watcher');
    const checkNow = async () => {
      try {
        await check(await watcher.load(identifier));
      } catch (error) {
        this.model.violations.push(error instanceof Error ? error.message : String(error));
      }
    };
    this.#watchers.push({ table: identifier.name, check: checkNow });
  }

  /** Lets somebody work, and again whenever the worker dies; now and then by two workers at once. */
  employ(name: string, role: Role): void {
    const isTwice = this.random.chance(0.1);
    for (let i = 0; i < (isTwice ? 2 : 1); i++) this.#start(name, role);
  }

  #start(name: string, role: Role): void {
    this.#workers += 1;
    const skewMs = this.random.int(-2_000, 2_000);
    this.scheduler.start(`${name}#${this.#workers}`, skewMs, (worker) => {
      this.#roles.set(worker, { name, role });
      return role(this.#client(worker));
    });
  }

  readonly #roles = new Map<Worker, { readonly name: string; readonly role: Role }>();

  /**
   * Runs the world to its end and compares every snapshot that is left with the oracle.
   * @param finish does what is left to do, without faults
   * @throws Violation
   */
  async run(finish: Role = () => Promise.resolve()): Promise<void> {
    this.scheduler.onCrash = (worker) => {
      const employed = this.#roles.get(worker);
      if (employed !== undefined) this.#start(employed.name, employed.role);
    };
    await this.scheduler.run();
    const client = this.#calmClient('auditor');
    await finish(client);
    await Promise.all(this.#checks);
    const table = await client.load();
    for (const { snapshotId } of table.metadata.snapshots) {
      this.model.check(snapshotId, await readSnapshot(table, snapshotId));
    }
    const [violation] = this.model.violations;
    if (violation !== undefined) throw new Violation(violation);
  }

  #client(worker: Worker): Client {
    const { clock } = worker;
    const gate = this.#guarded(worker);
    const io = new MemoryFileIO(this.storage, [this.#root], gate);
    const catalog = this.#server === null ? this.#catalog(gate, clock) : this.#server.client(worker.gate, clock);
    const random = new Random(`${worker.name} ${this.random.int(0, 2 ** 30)}`);
    return { worker, io, catalog, random, load: (identifier = IDENTIFIER) => loadTable(catalog, io, identifier) };
  }

  #calmClient(name: string): Client {
    return this.#client({ name, isAlive: true, gate: OPEN_GATE, clock: this.#calmClock() });
  }

  #catalog(gate: Gate, clock: Clock): Catalog {
    const io = new MemoryFileIO(this.storage, [this.#root], gate);
    return withProperties(
      openMemoryCatalog({
        name: 'simulated',
        pointers: this.#pointers,
        io,
        warehouse: `${this.#root}/warehouse`,
        reach: gate,
        clock,
      }),
    );
  }

  /** Watches that sweepers keep to the grace. */
  #guarded(worker: Worker): Gate {
    return (access, apply) =>
      worker.gate(access, () => {
        if (access.operation === 'delete' && this.sweepers.has(worker)) this.#requireOld(access.target);
        return apply();
      });
  }

  #requireOld(path: string): void {
    const file = this.storage.files.get(path);
    if (file === undefined || path.includes(CLOCK_PREFIX)) return;
    const ageMs = this.scheduler.nowMs - file.modifiedMs;
    if (ageMs < GRACE_MS) this.model.violations.push(`${path} was swept at an age of ${ageMs} ms`);
  }

  #calmClock() {
    const { scheduler } = this;
    return {
      nowMs: () => scheduler.nowMs,
      monotonicMs: () => scheduler.nowMs,
      random: () => 0,
      sleep: () => Promise.resolve(),
    };
  }
}

/** A catalog whose tables have the properties of the world's, and no compressed metadata: that takes time which the scheduler does not see. */
function withProperties(catalog: Catalog): Catalog {
  const createTable: Catalog['createTable'] = (identifier, request) => {
    const properties = new Map([...(request.properties ?? []), ['write.metadata.compression-codec', 'none'] as const]);
    for (const [name, value] of PROPERTIES) if (!properties.has(name)) properties.set(name, value);
    return catalog.createTable(identifier, { ...request, properties });
  };
  return new Proxy(catalog, {
    get: (target, property) => {
      if (property === 'createTable') return createTable;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Every live row of a snapshot, read file by file. */
export async function readSnapshot(table: Table, snapshotId: bigint): Promise<readonly PlacedRow[]> {
  const { schema, snapshot } = selectSnapshot(table.metadata, { snapshotId });
  const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: true });
  return (await Promise.all(files.map((planned) => readLiveRows(table.io, planned)))).flat();
}

/** Every dead letter of a table of them. */
export async function readDeadLetters(table: Table): Promise<readonly Letter[]> {
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const { files } = await planFiles(table, { schema, snapshot });
  return (await Promise.all(files.map((planned) => readLetters(table.io, planned)))).flat();
}
