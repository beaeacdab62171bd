/** The catalog and the storage of the simulation do what the real ones do. */
import { OPEN_GATE } from '../simulation/gate.js';
import { MemoryPointers, memoryCatalog } from '../simulation/memory-catalog.js';
import { MemoryFileIO, MemoryStorage } from '../simulation/memory-file-io.js';
import { describeCatalogBehavior } from './catalog-behavior.js';
import { describeStorageBehavior } from './storage-behavior.js';

let opened = 0;

/** Caches know files by path, so every storage has a root of its own. */
function openMemory() {
  opened += 1;
  const root = `/simulated-${opened}`;
  const storage = new MemoryStorage(() => Date.now());
  return { root, io: () => new MemoryFileIO(storage, [root], OPEN_GATE) };
}

describeStorageBehavior('files in memory', () => {
  const { root, io } = openMemory();
  return Promise.resolve({ root, io: io() });
});

describeCatalogBehavior('catalog in memory', () => {
  const { root, io } = openMemory();
  const pointers = new MemoryPointers();
  const open = () => memoryCatalog(pointers, { io: io(), warehouse: `${root}/warehouse`, gate: OPEN_GATE });
  return Promise.resolve({ catalog: open(), reopen: () => Promise.resolve(open()), folder: root, io: io() });
});
