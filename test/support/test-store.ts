/**
 * The storage and the catalog of labs: local files with SQLite, or objects in memory under locations that no file
 * system has, with a catalog that checks the requirements of the REST specification and nothing else.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Catalog, type Clock, openSqlCatalog } from '../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../catalogs/memory/memory-catalog.js';
import type { Location } from '../../locations/index.js';
import { type FileIO, LocalFileIO } from '../../storage/index.js';
import { OPEN_GATE } from '../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../simulation/memory-file-io.js';
import { RequirementsOnly } from '../simulation/requirements-only.js';
import { PoisonedCache } from './poisoned-cache.js';

/** Storages in memory, by their root. */
const storages = new Map<Location, MemoryStorage>();

function storageOf(location: Location): MemoryStorage | undefined {
  return [...storages].find(([root]) => location.startsWith(`${root}/`))?.[1];
}

/** Whether a lab's file is there, past every cache. */
export function isStored(location: Location): boolean {
  return storageOf(location)?.files.has(location) ?? existsSync(location);
}

export function storedSize(location: Location): number {
  return storageOf(location)?.require(location).content.length ?? statSync(location).size;
}

/** Puts a file where it belongs, or in place of another, as old as told. */
export function putStored(location: Location, content: string | Uint8Array, ageDays = 0): void {
  const modifiedMs = Date.now() - ageDays * 86_400_000;
  const storage = storageOf(location);
  if (storage !== undefined) return storage.replace(location, Buffer.from(content), modifiedMs);
  mkdirSync(dirname(location), { recursive: true });
  writeFileSync(location, content);
  utimesSync(location, new Date(modifiedMs), new Date(modifiedMs));
}

/** Makes a file as old as told. */
export function ageStored(location: Location, ageDays: number): void {
  const storage = storageOf(location);
  if (storage !== undefined) return putStored(location, storage.require(location).content, ageDays);
  const time = new Date(Date.now() - ageDays * 86_400_000);
  utimesSync(location, time, time);
}

/** Every file below a folder, by its path there, sorted. */
export function storedBelow(folder: Location): string[] {
  const storage = storageOf(folder);
  if (storage !== undefined)
    return storage
      .below(folder)
      .map(({ location }) => location.slice(folder.length + 1))
      .sort();
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Whether labs lie in memory: `MORAINE_TEST_STORE=objects`. */
export const inObjects = process.env['MORAINE_TEST_STORE'] === 'objects';

export interface TestStore {
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly warehouse: Location;
}

/** @param others further folders with tables to read, of local storage */
export async function openTestStore(
  folder: string,
  options: {
    readonly name?: string;
    /** The only folder that local storage may touch; the whole lab's unless given. */
    readonly root?: string;
    readonly others?: readonly string[];
    readonly clock?: Clock;
    readonly wrap?: (io: FileIO) => FileIO;
    /** Which state of each table is the current one, is kept in memory: for tests of very many commits. */
    readonly arePointersInMemory?: boolean;
  } = {},
): Promise<TestStore> {
  const {
    name = 'main',
    root: only = folder,
    others = [],
    clock,
    wrap = (io) => io,
    arePointersInMemory = false,
  } = options;
  const timed = clock === undefined ? {} : { clock };
  if (inObjects) {
    const root = `memory://store/${randomUUID()}`;
    const storage = new MemoryStorage(() => Date.now());
    storages.set(root, storage);
    const diskCache = new PoisonedCache({ folder: join(folder, 'cache'), maxBytes: 2 ** 30, endBytes: 8 });
    const io = wrap(new MemoryFileIO(storage, [root], OPEN_GATE, diskCache));
    const warehouse = `${root}/warehouse`;
    const server = openMemoryCatalog({
      name: 'simulated',
      pointers: new MemoryPointers(),
      io,
      warehouse,
      reach: OPEN_GATE,
      ...timed,
    });
    return { io, warehouse, catalog: new RequirementsOnly(server).client(OPEN_GATE, clock) };
  }
  const io = wrap(new LocalFileIO({ roots: [only, ...others], createRoots: true }));
  const warehouse = join(folder, 'warehouse');
  if (arePointersInMemory) {
    const pointers = new MemoryPointers();
    return { io, warehouse, catalog: openMemoryCatalog({ name, pointers, io, warehouse, reach: OPEN_GATE, ...timed }) };
  }
  const catalog = await openSqlCatalog({ name, uri: join(folder, 'catalog.db'), warehouse, io, ...timed });
  return { io, warehouse, catalog };
}
