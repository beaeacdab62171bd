/** `moraine serve` with a certificate: who trusts its authority is answered, a new certificate is taken over, and Feast's client uses it. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type SecureVersion } from 'node:tls';
import { Agent, fetch as fetchBy, type RequestInit } from 'undici';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../support/certificate.js';
import { moraine, moraineOk } from '../support/cli.js';
import { FeastSession } from '../support/feast-session.js';
import { describeInterop } from '../support/python.js';
import { startServiceProcess } from '../support/service-process.js';
import { SideBySide } from '../support/side-by-side.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A folder with a project whose service has a certificate `tls.pem`. */
function projectWithCertificate(settings = '') {
  const folder = temporaryFolder();
  const made = makeCertificate(temporaryFolder());
  const files = { cert: join(folder, 'tls.pem'), key: join(folder, 'tls.key'), config: join(folder, 'moraine.yaml') };
  const use = ({ certificate, key }: typeof made): void => {
    copyFileSync(certificate, files.cert);
    copyFileSync(key, files.key);
  };
  use(made);
  const server = `server: { tls: { cert: tls.pem, key: tls.key${settings} }, keys: api-keys.json }`;
  writeFileSync(files.config, `catalogs: { main: { uri: catalog.db, warehouse: warehouse } }\n${server}\n`);
  return { folder, files, use, made };
}

function clientOf(authority: string, maxVersion: SecureVersion = 'TLSv1.3') {
  const agent = new Agent({ connect: { ca: readFileSync(authority), maxVersion } });
  onTestFinished(() => agent.close());
  return (url: string, init: RequestInit = {}) => fetchBy(url, { ...init, dispatcher: agent });
}

/** The certificate that a new connection is shown. */
async function fingerprintOf(url: string, authority: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca: readFileSync(authority) }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('is reached by those who trust it, with a cookie for TLS alone', async () => {
  const { folder, made } = projectWithCertificate(', minVersion: TLSv1.3');
  const key = (await moraineOk(['serve', 'key', 'create', 'ops'], { cwd: folder })).trim();
  const { url, stop } = await startServiceProcess(folder);
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  const get = clientOf(made.authority);
  expect(await (await get(`${url}/health`)).json()).toEqual({ status: 'ok' });
  await expect(fetch(`${url}/health`)).rejects.toMatchObject({ cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } });
  await expect(fetch(`${url.replace('https:', 'http:')}/health`)).rejects.toThrow('fetch failed');
  await expect(clientOf(made.authority, 'TLSv1.2')(`${url}/health`)).rejects.toMatchObject({
    cause: { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' },
  });
  const login = await get(`${url}/ui/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: url },
    body: new URLSearchParams({ key, next: '/ui/' }).toString(),
  });
  expect(login.status).toBe(303);
  expect(login.headers.get('set-cookie')).toMatch(
    /^moraine_session=[\w-]+; Path=\/; .*HttpOnly; SameSite=Strict; Secure$/,
  );
  expect(await stop()).toBe(0);
});

test('shows a new certificate to new connections, and keeps the old one while the files do not fit', async () => {
  const { folder, files, use, made } = projectWithCertificate();
  await moraineOk(['serve', 'key', 'create', 'ops'], { cwd: folder });
  const { url, log } = await startServiceProcess(folder);
  const get = clientOf(made.authority);
  expect((await get(`${url}/health`)).status).toBe(200);
  const before = await fingerprintOf(url, made.authority);

  const next = makeCertificate(temporaryFolder());
  copyFileSync(next.certificate, files.cert);
  await expect.poll(() => log(), { timeout: 10_000 }).toContain('is not that of the certificate');
  expect(await fingerprintOf(url, made.authority)).toBe(before);
  use(next);
  const shown = () => fingerprintOf(url, next.authority).catch(() => before);
  await expect.poll(shown, { timeout: 10_000 }).not.toBe(before);
  // A connection that is open goes on.
  expect((await get(`${url}/health`)).status).toBe(200);
  expect(log()).not.toContain('PRIVATE KEY');
});

const DAMAGED_KEY = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';

test.each([
  [
    'a certificate that is not there',
    'none.pem',
    undefined,
    'the certificate (server.tls.cert) cannot be read: ENOENT',
  ],
  ['a certificate that is not one', 'text.pem', undefined, 'text.pem is not a certificate in PEM'],
  ['a key that is not one', 'tls.pem', DAMAGED_KEY, 'tls.key is not a private key in PEM'],
  ['a key of another certificate', 'tls.pem', 'other', 'is not that of the certificate (server.tls.cert)'],
])('refuses %s', async (_, cert, key, message) => {
  const { folder, files } = projectWithCertificate();
  await moraineOk(['serve', 'key', 'create', 'ops'], { cwd: folder });
  writeFileSync(join(folder, 'text.pem'), 'x');
  writeFileSync(files.config, readFileSync(files.config, 'utf8').replace('tls.pem', cert));
  if (key === 'other') copyFileSync(makeCertificate(temporaryFolder()).key, files.key);
  else if (key !== undefined) writeFileSync(files.key, key);
  const { code, stderr } = await moraine(['serve', '--port', '0'], { cwd: folder });
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  expect(stderr).not.toContain('AAAA');
});

describeInterop("Feast's client", () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  test('writes and reads over TLS with the authority of the service', async () => {
    const side = await SideBySide.open(feast);
    const times = { event_ts: 'timestamptz', created: 'timestamptz' };
    const moment = '2026-03-01T00:00:00Z';
    await side.table('demo.t', { driver: 'long', ...times, count: 'long' }, `(1, '${moment}', '${moment}', 10)`);
    await side.define({
      entities: [{ name: 'driver', joinKeys: ['driver'] }],
      featureViews: [
        {
          name: 'trips',
          entities: ['driver'],
          source: { table: 'demo.t', timestampField: 'event_ts', createdTimestampField: 'created' },
          online: true,
        },
      ],
    });
    await side.moraine();
    const { certificate: cert, key, authority } = makeCertificate(temporaryFolder());
    const { folder } = side.lab;
    const catalogs = { main: { uri: 'catalog.db', warehouse: 'warehouse' } };
    const server = { queueTimeoutMs: 60_000, tls: { cert, key } };
    writeFileSync(
      join(folder, 'moraine.yaml'),
      JSON.stringify({ catalogs, engine: { threads: 2 }, online: { readTimeoutMs: 60_000 }, server }),
    );
    const { url } = await startServiceProcess(folder);
    const time = JSON.stringify(moment);
    const columns = { driver: ['2'], event_ts: [time], created: [time], count: ['20'] };
    await feast.ask('write', { url, view: 'trips', columns, cert: authority });
    const question = { url, features: ['trips:count'], entities: [{ driver: 2 }] };
    expect(await feast.ask('remote', { ...question, cert: authority })).toMatchObject({
      columns: { count: [['int', '20', 'PRESENT']] },
    });
    await expect(feast.ask('remote', question)).rejects.toThrow(/CERTIFICATE_VERIFY_FAILED/);
  });
});
