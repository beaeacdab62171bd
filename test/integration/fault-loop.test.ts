/** Two workers, of which one is killed now and then, with faults between them and the store and catalogs on PostgreSQL, REST and Glue. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import { type CatalogKind, describeFaultLoop, proxyOf } from '../support/fault-loop.js';
import { startFaultyConnections } from '../support/faulty-connection.js';
import { type GlueServer, startGlue } from '../support/glue-server.js';
import { PASSWORD, type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { type RestServer, s3OfRest, startRestServer } from '../support/rest-server.js';
import { type S3Server, type ServerWithUsers, startMinio, startS3Server } from '../support/s3-server.js';

let store: ServerWithUsers;
let postgres: PostgresServer;
let rest: RestServer;
let moto: S3Server;
let glue: GlueServer;
beforeAll(async () => {
  [store, postgres, moto] = await Promise.all([startMinio(), startPostgres(), startS3Server()]);
  await store.makeBucket('lake');
  glue = await startGlue(moto);
  rest = await startRestServer('s3://lake/rest', s3OfRest(store));
  vi.stubEnv('LAKE_PASSWORD', PASSWORD);
  vi.stubEnv('LAKE_SECRET_KEY', store.options['s3.secret-access-key'] ?? '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([store.close(), postgres.close(), rest.close(), glue.close(), moto.close()]);
});

const KINDS = {
  PostgreSQL: async (weather, warehouse) => {
    const { hostname, port, pathname } = new URL(await postgres.makeDatabase());
    const connections = await startFaultyConnections(Number(port));
    onTestFinished(() => connections.close());
    connections.fateOf = weather.ofConnections;
    const at = (host: string): string =>
      `{ uri: "postgresql://moraine:\${LAKE_PASSWORD}@${host}${pathname}", warehouse: "${warehouse}" }`;
    return { direct: at(`${hostname}:${port}`), faulty: at(`127.0.0.1:${connections.port}`) };
  },
  REST: async (weather) => {
    const name = `catalog-${randomUUID().slice(0, 8)}`;
    const proxy = await proxyOf(new URL(rest.uriOf('')).origin);
    proxy.fateOf = weather.ofRest;
    return {
      direct: `{ type: rest, uri: "${rest.uriOf(name)}" }`,
      faulty: `{ type: rest, uri: "${proxy.address}/${name}" }`,
    };
  },
  Glue: async (weather, warehouse) => {
    const proxy = await proxyOf(glue.endpoint);
    proxy.fateOf = weather.ofGlue;
    const account = String(100_000_000_000 + Math.floor(Math.random() * 1e9));
    const at = (endpoint: string): string =>
      `{ type: glue, warehouse: "${warehouse}", options: { glue.endpoint: "${endpoint}", glue.region: us-east-1, glue.access-key-id: "${account}", glue.secret-access-key: "\${LAKE_SECRET_KEY}" } }`;
    return { direct: at(glue.endpoint), faulty: at(proxy.address) };
  },
} satisfies Record<string, CatalogKind>;

describeFaultLoop(() => store, KINDS, ['REST']);
