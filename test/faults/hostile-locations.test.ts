/** Files of a table in a bucket that name files outside of what the project may touch: none of these is asked for, although it is there. */
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CopyObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openSqlCatalog, withTableDefaults } from '../../catalogs/index.js';
import { openEngine } from '../../engine/index.js';
import { currentSnapshot, type DataFile, relocateManifest, relocateManifestList } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { openStorage } from '../../storage/index.js';
import { loadTable, readManifestEntries, readSnapshotManifests } from '../../tables/index.js';
import { rejectionCode } from '../support/error-code.js';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js';
import { describeInterop } from '../support/python.js';
import { RowTable } from '../support/row-table.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import type { TableWorld } from '../support/table-world.js';
import { temporaryFolder } from '../support/temp-folder.js';

const ROOT = 's3://lake/ok';
const IDENTIFIER = { namespace: ['demo'], name: 't' };
const outside = (location: Location): Location => location.replace(ROOT, 's3://other/ok');

let server: S3Server;
let proxy: FaultyProxy;

/** A project's storage and catalog. Requests to the store go through the proxy. */
async function openWorld(folder: string): Promise<TableWorld> {
  const io = await openStorage({
    roots: [ROOT],
    options: { ...server.options, 's3.endpoint': proxy.address },
    diskCache: { folder: join(folder, `cache-${Math.random()}`), maxBytes: 2 ** 28 },
  });
  const uri = join(folder, 'catalog.db');
  const catalog = await openSqlCatalog({ name: 'local', uri, warehouse: ROOT, io });
  const engine = await openEngine({
    memoryLimitBytes: 2 ** 28,
    threads: 1,
    tempDirectory: join(folder, 'tmp'),
    allowedDirectories: [folder],
  });
  onTestFinished(async () => {
    await engine.close();
    await catalog.close();
  });
  const world: Pick<TableWorld, 'create' | 'load'> = {
    load: () => loadTable(catalog, io, IDENTIFIER),
    async create(_name, schema, _partitioning, formatVersion = 2) {
      await catalog.createNamespace(['demo']);
      await catalog.createTable(IDENTIFIER, withTableDefaults({ schema, formatVersion }));
      return world.load('t');
    },
  };
  return { ...world, folder, io, catalog, engine } as TableWorld;
}

const objectOf = (location: Location) => {
  const [Bucket = '', ...key] = location.slice('s3://'.length).split('/');
  return { Bucket, Key: key.join('/') };
};

/** Puts something else in the place of an object. */
async function change(location: Location, edit: (bytes: Uint8Array) => Uint8Array): Promise<bigint> {
  const found = await server.client.send(new GetObjectCommand(objectOf(location)));
  const Body = edit((await found.Body?.transformToByteArray()) ?? expect.unreachable());
  await server.client.send(new PutObjectCommand({ ...objectOf(location), Body }));
  return BigInt(Body.length);
}

/** Everything that the table has is outside, too. */
async function copyOutside(): Promise<void> {
  const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ Bucket: 'lake' }));
  for (const { Key = '' } of Contents) {
    await server.client.send(new CopyObjectCommand({ Bucket: 'other', Key, CopySource: `lake/${Key}` }));
  }
}

const HOPS = ['metadata', 'manifest list', 'manifest', 'data', 'deletes'] as const;

describeInterop('a table in a bucket', () => {
  beforeAll(async () => {
    server = await startS3Server();
    await server.makeBucket('lake');
    await server.makeBucket('other');
    proxy = await startFaultyProxy(server.endpoint, { remembers: true });
  });
  afterAll(() => Promise.all([proxy.close(), server.close()]));

  test.each(([2, 3] as const).flatMap((version) => HOPS.map((hop) => [hop, version] as const)))(
    'that names %s outside of the roots is refused, in version %d',
    async (hop, version) => {
      const folder = temporaryFolder();
      const table = await RowTable.create(version, undefined, await openWorld(folder));
      await table.append([
        [1, 'a', 1],
        [2, 'a', 2],
      ]);
      await table.deleteWhere('id = 1');
      const { metadata, metadataLocation, io } = await table.load();
      const list = currentSnapshot(metadata)?.manifestList ?? expect.unreachable();
      const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
      await copyOutside();

      if (hop === 'metadata') {
        const { catalog } = await openWorld(folder);
        const other = { ...IDENTIFIER, name: 'other' };
        expect(await rejectionCode(catalog.registerTable(other, outside(metadataLocation)))).toBe('LOCATION_REFUSED');
      } else {
        if (hop === 'manifest list')
          await change(metadataLocation, (bytes) =>
            gzipSync(gunzipSync(bytes).toString('utf8').replaceAll(list, outside(list))),
          );
        const lengths = new Map<Location, bigint>();
        for (const manifest of manifests) {
          const { manifestPath, content } = manifest;
          lengths.set(manifestPath, manifest.manifestLength);
          if (content !== hop) continue;
          const files = (await readManifestEntries(io, metadata, manifest)).map(({ dataFile }) => dataFile);
          const sizes = new Map(files.map((file: DataFile) => [file.filePath, file]));
          const relocate = (location: Location): Location => (sizes.has(location) ? outside(location) : location);
          const moved = (bytes: Uint8Array) => relocateManifest(bytes, manifestPath, relocate, sizes);
          lengths.set(manifestPath, await change(manifestPath, moved));
        }
        const relocate = hop === 'manifest' ? outside : (location: Location): Location => location;
        await change(list, (bytes) => relocateManifestList(bytes, list, relocate, lengths));
        proxy.seen.length = 0;
        const reader = RowTable.open(await openWorld(folder));
        expect(await rejectionCode(reader.rows())).toBe('LOCATION_REFUSED');
      }
      expect(proxy.seen.filter(({ path }) => path.startsWith('/other'))).toEqual([]);
    },
  );
});
