/** A store and a catalog whose certificates are of an authority of one's own. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { moraine } from '../support/cli.js';
import { type Certificate, startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A certificate for 127.0.0.1, and its authority's. */
function makeCertificate(folder: string): Certificate {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    '/CN=authority of the tests',
  );
  openssl('req', ...key, '-keyout', file('own.key'), '-out', file('own.csr'), '-subj', '/CN=127.0.0.1');
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1');
  const by = [
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('names'),
  ];
  openssl('x509', '-req', '-in', file('own.csr'), '-out', file('own.pem'), ...by);
  return { certificate: file('own.pem'), key: file('own.key'), authority: file('ca.pem') };
}

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
});

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
