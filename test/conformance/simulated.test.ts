/** The catalog and the storage of the simulation do what the real ones do. */

import { MemoryPointers, openMemoryCatalog } from '../../catalogs/memory/memory-catalog.js';
import { OPEN_GATE } from '../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../simulation/memory-file-io.js';
import { describeCatalogBehavior } from './catalog-behavior.js';
import { describeStorageBehavior } from './storage-behavior.js';

function openMemory(root: string) {
  const storage = new MemoryStorage(() => Date.now());
  return { root, io: () => new MemoryFileIO(storage, [root], OPEN_GATE) };
}

describeStorageBehavior('files in memory, under paths', () => {
  const { root, io } = openMemory('/simulated');
  const spellings = [`file:${root}`, `file://${root}`, `${root}/.`, `${root}/none/..`];
  return Promise.resolve({ root, io: io(), spellings, waysOut: [`${root}/../x`, `${root}/none/../../x`] });
});

describeStorageBehavior('files in memory, as objects', () => {
  const { root, io } = openMemory('memory://bucket/root');
  return Promise.resolve({ root, io: io(), spellings: [], waysOut: ['memory://other/root/x', 'memory://bucket/x'] });
});

describeCatalogBehavior('catalog in memory', () => {
  const { root, io } = openMemory('/simulated');
  const pointers = new MemoryPointers();
  const open = () =>
    openMemoryCatalog({
      name: 'simulated',
      pointers: pointers,
      io: io(),
      warehouse: `${root}/warehouse`,
      reach: OPEN_GATE,
    });
  return Promise.resolve({ catalog: open(), reopen: () => Promise.resolve(open()), folder: root, io: io() });
});
