/** A store and a catalog whose certificates are of an authority of one's own. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../support/certificate.js';
import { moraine } from '../support/cli.js';
import { type Certificate, startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a store with TLS is used once its authority is trusted; before, the error says how', async () => {
  const certificate = makeCertificate(temporaryFolder());
  const store = await startMinio(certificate);
  onTestFinished(() => store.close());
  await store.makeBucket('lake');
  const folder = temporaryFolder();
  const { 's3.secret-access-key': secret = '', ...options } = store.options;
  const config = {
    catalogs: { lake: { type: 'sql', uri: 'catalog.db', warehouse: 's3://lake' } },
    storage: { options: { ...options, 's3.secret-access-key': '${SECRET}' } },
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  writeFileSync(join(folder, 'rows.csv'), 'id\n1\n2\n');
  const run = (trusted: Readonly<Record<string, string>>, ...args: readonly string[]) =>
    moraine(args, { cwd: folder, env: { SECRET: secret, ...trusted } });
  const append = ['table', 'append', 'ns.t', 'rows.csv', '--create'];
  const refused = await run({}, ...append);
  expect(refused).toMatchObject({ code: 8, stdout: '' });
  expect(refused.stderr).toContain('the certificate of the store is not trusted. Set NODE_EXTRA_CA_CERTS');
  const trusted = { NODE_EXTRA_CA_CERTS: certificate.authority };
  const appended = await run(trusted, ...append);
  expect(appended.code, appended.stderr).toBe(0);
  expect((await run(trusted, 'table', 'scan', 'ns.t')).stdout).toBe('{"id":1}\n{"id":2}\n');

  // A proxy sees the address alone: the certificate is still the store's.
  const { proxy, tunnels } = await startTunnels();
  const place = new URL(store.endpoint).host;
  const hidden = await run({ HTTPS_PROXY: proxy }, 'table', 'append', 'ns.t', 'rows.csv');
  expect(hidden.stderr).toContain('the certificate of the store is not trusted. Set NODE_EXTRA_CA_CERTS');
  const through = await run({ ...trusted, HTTPS_PROXY: proxy }, 'table', 'append', 'ns.t', 'rows.csv');
  expect(through.code, through.stderr).toBe(0);
  expect([...new Set(tunnels)]).toEqual([place]);
});

test('a REST catalog with TLS is asked once its authority is trusted; before, the error says how', async () => {
  const certificate = makeCertificate(temporaryFolder());
  const catalog = await startNothing(certificate);
  const folder = temporaryFolder();
  const { port } = catalog.address() as AddressInfo;
  const config = {
    catalogs: { lake: { type: 'rest', uri: `https://127.0.0.1:${port}` } },
    storage: { roots: ['warehouse'] },
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  const list = ['table', 'list'];
  const refused = await moraine(list, { cwd: folder });
  expect(refused.stderr).toContain('set NODE_EXTRA_CA_CERTS to the file of its authority');
  const trusted = await moraine(list, { cwd: folder, env: { NODE_EXTRA_CA_CERTS: certificate.authority } });
  expect(trusted.stderr).toContain('it answered 404');

  const { proxy, tunnels } = await startTunnels();
  const env = { HTTPS_PROXY: proxy };
  const hidden = await moraine(list, { cwd: folder, env });
  expect(hidden.stderr).toContain('set NODE_EXTRA_CA_CERTS to the file of its authority');
  const through = await moraine(list, { cwd: folder, env: { ...env, NODE_EXTRA_CA_CERTS: certificate.authority } });
  expect(through.stderr).toContain('it answered 404');
  expect([...new Set(tunnels)]).toEqual([`127.0.0.1:${port}`]);
});

/** A proxy that knows CONNECT alone, with the addresses that it was asked for. */
async function startTunnels(): Promise<{ readonly proxy: string; readonly tunnels: readonly string[] }> {
  const tunnels: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createHttpServer((_, response) => void response.writeHead(405).end());
  server.on('connect', ({ url = '' }, client: Duplex) => {
    tunnels.push(url);
    const { hostname, port } = new URL(`http://${url}`);
    const target = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => [client, target].forEach((each) => each.destroy()));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { proxy: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tunnels };
}

/** Has no catalog: what it says is heard only by those who trust it. */
async function startNothing({ certificate, key }: Certificate): Promise<Server> {
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (_, response) => {
    response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}
