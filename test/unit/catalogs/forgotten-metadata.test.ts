/** A process that follows a table which others write to keeps one version of its metadata in memory. */
import { expect, test } from 'vitest';
import { readTableMetadataCached } from '../../../catalogs/metadata-file.js';
import { LocalFileIO } from '../../../storage/index.js';
import { IDENTIFIER, openCatalog, tableFixture } from '../../support/table-fixture.js';

test('metadata that another process has replaced is given up when the newer one is loaded', async () => {
  const { folder, catalog: writer } = await tableFixture();
  const io = new LocalFileIO({ roots: [folder] });
  const read: string[] = [];
  const counted = new Proxy(io, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        if (name === 'read') read.push(String(args[0]));
        return Reflect.apply(value, target, args);
      };
    },
  });
  const follower = await openCatalog(folder, counted);
  const versions: string[] = [];
  for (let n = 0; n < 4; n++) {
    const updates = [{ action: 'set-properties' as const, updates: new Map([['n', String(n)]]) }];
    await writer.commitTable(IDENTIFIER, { requirements: [], updates });
    await follower.loadTable(IDENTIFIER);
    versions.push((await follower.loadTable(IDENTIFIER)).metadataLocation);
  }
  expect(read).toEqual(versions);
  for (const location of versions) await readTableMetadataCached(counted, location);
  expect(read.slice(versions.length)).toEqual(versions.slice(0, -1));
});
