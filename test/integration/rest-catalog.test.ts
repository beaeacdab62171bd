/** The REST catalog against Java's server of it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRestCatalog } from '../../catalogs/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { describeCatalogBehavior } from '../conformance/catalog-behavior.js';
import { type RestServer, startRestServer } from '../support/rest-server.js';

const folder = mkdtempSync(join(tmpdir(), 'moraine-rest-'));
let server: RestServer;
beforeAll(async () => {
  server = await startRestServer(folder);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describeCatalogBehavior(
  'REST catalog',
  async () => {
    const name = randomUUID();
    const open = () => openRestCatalog({ name: 'test', uri: server.uriOf(name) });
    return {
      catalog: await open(),
      reopen: open,
      folder: join(folder, name),
      io: new LocalFileIO({ roots: [folder] }),
    };
  },
  { isServer: true, refusedNames: ['.', '..'] },
);

test('who expires snapshots and deletes files is what the configuration says', async () => {
  const open = async (options: Readonly<Record<string, string>>) =>
    await openRestCatalog({ name: 'test', uri: server.uriOf('owned'), options });
  expect((await open({})).fileOwner).toBeUndefined();
  expect((await open({ 'maintained-by': 'R2 Data Catalog' })).fileOwner).toBe('R2 Data Catalog');
});
