/** Two workers, of which one is killed now and then, with faults between them and the store and catalogs on Hive and Nessie. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import { type CatalogKind, describeFaultLoop, proxyOf } from '../support/fault-loop.js';
import { type HiveServer, startHive, startHiveProxy } from '../support/hive-server.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { PASSWORD } from '../support/postgres-server.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { lastingFolder } from '../support/temp-folder.js';

const folder = lastingFolder();
let store: ServerWithUsers;
let hive: HiveServer;
let nessie: NessieServer;
beforeAll(async () => {
  store = await startMinio();
  await store.makeBucket('lake');
  [hive, nessie] = await Promise.all([startHive(folder.path), startNessie(store, 's3://lake/nessie')]);
  vi.stubEnv('LAKE_PASSWORD', PASSWORD);
  vi.stubEnv('LAKE_SECRET_KEY', store.options['s3.secret-access-key'] ?? '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([store.close(), hive.close(), nessie.close()]);
  folder.remove();
});

const KINDS = {
  Hive: async (weather, warehouse) => {
    await hive.clear();
    const proxy = await startHiveProxy(hive.port);
    onTestFinished(() => proxy.close());
    proxy.fateOf = weather.ofHive;
    const at = (uri: string): string =>
      `{ type: hive, uri: "${uri}", warehouse: "${warehouse}", options: { hive.metastore.client.socket.timeout: 5s } }`;
    return { direct: at(hive.uri), faulty: at(proxy.uri) };
  },
  Nessie: async (weather) => {
    const branch = `weather-${randomUUID().slice(0, 8)}`;
    await nessie.makeReference(branch);
    const proxy = await proxyOf(nessie.address);
    proxy.fateOf = weather.ofRest;
    const at = (uri: string): string => `{ type: rest, uri: "${uri}" }`;
    const direct = nessie.uriOf(branch);
    return { direct: at(direct), faulty: at(direct.replace(nessie.address, proxy.address)) };
  },
} satisfies Record<string, CatalogKind>;

describeFaultLoop(() => store, KINDS, ['Hive']);
