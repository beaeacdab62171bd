import { randomBytes, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseEncryptionKeys, resolveEncryptionKeys } from '../../../workers/payloads/encryption-keys.js';
import { EncryptionCodec } from '../../../workers/payloads/payload-codec.js';
import { codeOf, errorOf, failureOf } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const OLD = randomBytes(32);
const NEW = randomBytes(32);

/** A payload as Temporal's converter makes it, and the same in the wire format of `temporal.api.common.v1.Payload`. */
const PLAIN = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"canary"') };
const PLAIN_BYTES = Buffer.from('\n\x16\n\x08encoding\x12\njson/plain\x12\x08"canary"', 'latin1');

async function encrypted(keys: ReadonlyMap<string, Buffer>) {
  const [payload] = await new EncryptionCodec(keys).encode([PLAIN]);
  if (payload?.data == null || payload.metadata == null) throw new Error('nothing was encoded');
  return { metadata: payload.metadata, data: Buffer.from(payload.data) };
}

describe('the payload codec', () => {
  test('encrypts with AES-256-GCM: nonce, then text and tag, as the Web Crypto API decrypts them', async () => {
    const { metadata, data } = await encrypted(new Map([['k1', NEW]]));
    const texts = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value).toString()]);
    expect(Object.fromEntries(texts)).toEqual({
      encoding: 'binary/encrypted',
      'encryption-cipher': 'AES-256-GCM',
      'encryption-key-id': 'k1',
    });
    const key = await webcrypto.subtle.importKey('raw', NEW, 'AES-GCM', false, ['decrypt']);
    const opened = await webcrypto.subtle.decrypt(
      { name: 'AES-GCM', iv: data.subarray(0, 12) },
      key,
      data.subarray(12),
    );
    expect(Buffer.from(opened)).toEqual(PLAIN_BYTES);
  });

  test('never repeats a nonce, and shows nothing of what it holds', async () => {
    const keys = new Map([['k1', NEW]]);
    const nonces = new Set<string>();
    for (let i = 0; i < 100; i += 1) {
      const { data } = await encrypted(keys);
      nonces.add(data.subarray(0, 12).toString('hex'));
      expect(data.includes('canary')).toBe(false);
    }
    expect(nonces.size).toBe(100);
  });

  test('a rotated key: the newest encrypts, any decrypts, an unencrypted payload passes', async () => {
    const before = await encrypted(new Map([['k1', OLD]]));
    const rotated = new EncryptionCodec(
      new Map([
        ['k2', NEW],
        ['k1', OLD],
      ]),
    );
    const [after] = await rotated.encode([PLAIN]);
    expect(Buffer.from(after?.metadata?.['encryption-key-id'] ?? []).toString()).toBe('k2');
    const decoded = await rotated.decode([before, after ?? {}, PLAIN]);
    for (const payload of decoded) {
      expect(Buffer.from(payload.data ?? []).toString()).toBe('"canary"');
      expect(Buffer.from(payload.metadata?.['encoding'] ?? []).toString()).toBe('json/plain');
    }
  });

  test('a key that is not configured is named, with those that are', async () => {
    const payload = await encrypted(new Map([['k1', OLD]]));
    const error = await failureOf(new EncryptionCodec(new Map([['k2', NEW]])).decode([payload]));
    expect(error.code).toBe('ENCRYPTION_KEY_UNKNOWN');
    expect(error.message).toContain('"k1"');
    expect(error.message).toContain('(k2)');
  });

  test.each([
    ['one bit changed', (data: Buffer) => data.fill((data[20] ?? 0) ^ 1, 20, 21)],
    ['cut', (data: Buffer) => data.subarray(0, -1)],
    ['cut to nothing', () => Buffer.alloc(0)],
  ])('%s: refused, not decrypted to something else', async (_, damage) => {
    const keys = new Map([['k1', NEW]]);
    const { metadata, data } = await encrypted(keys);
    const error = await failureOf(new EncryptionCodec(keys).decode([{ metadata, data: damage(data) }]));
    expect(error.code).toBe('PAYLOAD_UNREADABLE');
  });

  test('another key under the same id: refused', async () => {
    const payload = await encrypted(new Map([['k1', OLD]]));
    const error = await failureOf(new EncryptionCodec(new Map([['k1', NEW]])).decode([payload]));
    expect(error.code).toBe('PAYLOAD_UNREADABLE');
  });
});

describe('encryption keys', () => {
  const text = `# newest first\nk2:${NEW.toString('base64')}\nk1:${OLD.toString('base64')} # until 2027\n`;

  test('come from a file or from the environment, in order; the environment wins', () => {
    const file = join(temporaryFolder(), 'keys');
    writeFileSync(file, text);
    const expected = [
      ['k2', NEW],
      ['k1', OLD],
    ];
    expect([...(resolveEncryptionKeys({ encryptionKeyFile: file }, {}) ?? [])]).toEqual(expected);
    expect([...(resolveEncryptionKeys({}, { MORAINE_ENCRYPTION_KEY_FILE: file }) ?? [])]).toEqual(expected);
    const inline = { MORAINE_ENCRYPTION_KEYS: `k3:${OLD.toString('base64')}`, MORAINE_ENCRYPTION_KEY_FILE: file };
    expect([...(resolveEncryptionKeys({ encryptionKeyFile: file }, inline) ?? [])]).toEqual([['k3', OLD]]);
    expect(resolveEncryptionKeys({}, {})).toBeUndefined();
  });

  test.each([
    ['', 'there is no key'],
    ['secretsecret', 'entry 1'],
    [`k1:${randomBytes(16).toString('base64')}`, 'entry 1'],
    [`a:${NEW.toString('base64')},a:${OLD.toString('base64')}`, 'two keys "a"'],
  ])('%j is refused, and not shown', (wrong, reason) => {
    const error = errorOf(() => parseEncryptionKeys(wrong, 'the file'));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain(reason);
    if (wrong !== '') expect(error.message).not.toContain(wrong);
  });

  test('a configured file that is not there is an error, never a run in clear text', () => {
    expect(codeOf(() => resolveEncryptionKeys({ encryptionKeyFile: '/no/such/keys' }, {}))).toBe('CONFIG_INVALID');
  });
});
