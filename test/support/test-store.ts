/** The storage and the catalog of labs: local files with SQLite, or objects in memory under locations that no file system has. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Catalog, type Clock, openSqlCatalog } from '../../catalogs/index.js';
import type { Location } from '../../locations/index.js';
import { type FileIO, LocalFileIO } from '../../storage/index.js';
import { OPEN_GATE } from '../simulation/gate.js';
import { MemoryPointers, memoryCatalog } from '../simulation/memory-catalog.js';
import { MemoryFileIO, MemoryStorage } from '../simulation/memory-file-io.js';

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
    readonly others?: readonly string[];
    readonly clock?: Clock;
    readonly wrap?: (io: FileIO) => FileIO;
  } = {},
): Promise<TestStore> {
  const { name = 'main', others = [], clock, wrap = (io) => io } = options;
  const timed = clock === undefined ? {} : { clock };
  if (inObjects) {
    const root = `memory://store/${randomUUID()}`;
    const storage = new MemoryStorage(() => Date.now());
    const io = wrap(new MemoryFileIO(storage, [root], OPEN_GATE));
    const warehouse = `${root}/warehouse`;
    return {
      io,
      warehouse,
      catalog: memoryCatalog(new MemoryPointers(), { io, warehouse, gate: OPEN_GATE, ...timed }),
    };
  }
  const io = wrap(new LocalFileIO({ roots: [folder, ...others], createRoots: true }));
  const warehouse = join(folder, 'warehouse');
  const catalog = await openSqlCatalog({ name, uri: join(folder, 'catalog.db'), warehouse, io, ...timed });
  return { io, warehouse, catalog };
}
