/** The remote codec as Temporal's web UI asks it: over HTTP, from a page of another origin. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CodecServer, serveCodec } from '../../../workers/payloads/codec-server.js';
import { EncryptionCodec } from '../../../workers/payloads/payload-codec.js';
import { rejectionCode } from '../../support/error-code.js';

const UI = 'http://localhost:8233';
const KEYS = new Map([['k1', randomBytes(32)]]);

/** `{"encoding": "json/plain"}` and `"canary"` in protobuf's JSON. */
const PLAIN = { metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'ImNhbmFyeSI=' };

let server: CodecServer;
beforeAll(async () => {
  server = await serveCodec({ host: '127.0.0.1', port: 0 }, { keys: KEYS, namespace: 'shop', origins: [UI] });
});
afterAll(() => server.close());

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const all = { 'content-type': 'application/json', 'x-namespace': 'shop', origin: UI, ...headers };
  return fetch(`${server.url}${path}`, { method: 'POST', headers: all, body: text });
}

/** A payload as the codec of a worker writes it, in protobuf's JSON. */
async function encrypted() {
  const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"canary"') };
  const [payload] = await new EncryptionCodec(KEYS).encode([plain]);
  const metadata = Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(metadata) as Record<string, string>, data: base64(payload?.data) };
}

const base64 = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('base64');

describe('the codec server', () => {
  test('decrypts what a worker has encrypted, in order; what is not encrypted passes', async () => {
    const response = await post('/decode', { payloads: [await encrypted(), PLAIN, await encrypted()] });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ payloads: [PLAIN, PLAIN, PLAIN] });
    expect(response.headers.get('access-control-allow-origin')).toBe(UI);
  });

  test('encrypts an input for a worker', async () => {
    const response = await post('/encode', { payloads: [PLAIN] });
    const { payloads } = (await response.json()) as { readonly payloads: readonly (typeof PLAIN)[] };
    const [{ metadata, data }] = payloads as [typeof PLAIN];
    expect(Buffer.from(metadata.encoding, 'base64').toString()).toBe('binary/encrypted');
    const bytes = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
    const payload = {
      metadata: Object.fromEntries(bytes) as Record<string, Buffer>,
      data: Buffer.from(data, 'base64'),
    };
    const [opened] = await new EncryptionCodec(KEYS).decode([payload]);
    expect(Buffer.from(opened?.data ?? []).toString()).toBe('"canary"');
  });

  test("answers a browser's question before it asks, for the web UI alone", async () => {
    const ask = (origin: string): Promise<Response> =>
      fetch(`${server.url}/decode`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-namespace' },
      });
    const answer = await ask(UI);
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-methods')).toContain('POST');
    expect(answer.headers.get('access-control-allow-headers')).toContain('x-namespace');
    const other = await ask('http://localhost.example.com:8233');
    expect(other.status).toBe(403);
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each<[string, number, Parameters<typeof post>]>([
    ['another origin', 403, ['/decode', { payloads: [] }, { origin: 'http://evil.example' }]],
    ['no origin at all, as a sandboxed page', 403, ['/decode', { payloads: [] }, { origin: 'null' }]],
    ['another namespace', 403, ['/decode', { payloads: [] }, { 'x-namespace': 'other' }]],
    ['another path', 404, ['/keys', { payloads: [] }]],
    ['text that is not JSON', 400, ['/decode', 'payloads']],
    ['JSON of another shape', 400, ['/decode', { payloads: [{ data: 7 }] }]],
    ['more than 16 MiB', 413, ['/decode', 'x'.repeat(16 * 1024 * 1024 + 1)]],
  ])('refuses %s', async (_, status, [path, body, headers]) => {
    const response = await post(path, body, headers);
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(/^\{"message":".+"\}$/);
  });

  test('a payload that it cannot decrypt is named, by the id of its key alone', async () => {
    const { data, metadata } = await encrypted();
    const unknown = { data, metadata: { ...metadata, 'encryption-key-id': Buffer.from('k9').toString('base64') } };
    const response = await post('/decode', { payloads: [unknown] });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('k9');
    const changed = { metadata, data: `AAAA${data.slice(4)}` };
    expect((await post('/decode', { payloads: [changed] })).status).toBe(400);
  });

  test('an address that is taken is refused', async () => {
    const port = Number(new URL(server.url).port);
    const again = serveCodec({ host: '127.0.0.1', port }, { keys: KEYS, namespace: 'shop', origins: [] });
    expect(await rejectionCode(again)).toBe('INVALID_ARGUMENT');
  });
});
