/** Encrypts what Temporal stores: inputs, results, heartbeats, memos, signals, queries, details and messages of failures. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type Payload, type PayloadCodec, ValueError } from '@temporalio/common';
import { Field, MapField, Type } from 'protobufjs';
import { MoraineError } from '../../errors/index.js';
import type { EncryptionKeys } from './encryption-keys.js';

/** Names and layout are those of Temporal's samples for codecs, so that other SDKs can read what is written here. */
const ENCODING = 'binary/encrypted';
const CIPHER = 'AES-256-GCM';
const KEY_ID = 'encryption-key-id';
const NODE_CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `temporal.api.common.v1.Payload`, as far as it is encrypted. */
const payloadType = new Type('Payload')
  .add(new MapField('metadata', 1, 'string', 'bytes'))
  .add(new Field('data', 2, 'bytes'));

/**
 * AES-256-GCM under the first of the keys; any of them decrypts, so that a key is rotated by putting a new one in front and dropping the
 * old one when the last history with it has gone.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #keys: EncryptionKeys;
  readonly #newestId: string;
  readonly #newest: Buffer;

  constructor(keys: EncryptionKeys) {
    const [newest] = keys;
    if (newest === undefined) throw new MoraineError('INTERNAL', 'A codec without keys.');
    this.#keys = keys;
    [this.#newestId, this.#newest] = newest;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.#encrypt(payload)));
  }

  /** @throws `ENCRYPTION_KEY_UNKNOWN`; `PAYLOAD_UNREADABLE` for one that was changed or cut */
  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve().then(() => payloads.map((payload) => this.#decrypt(payload)));
  }

  #encrypt(payload: Payload): Payload {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(NODE_CIPHER, this.#newest, nonce);
    const plain = payloadType.encode(payloadType.create(payload)).finish();
    const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    const metadata = { encoding: bytes(ENCODING), 'encryption-cipher': bytes(CIPHER), [KEY_ID]: bytes(this.#newestId) };
    return { metadata, data };
  }

  #decrypt(payload: Payload): Payload {
    if (textOf(payload, 'encoding') !== ENCODING) return payload; // written before encryption was switched on
    const id = textOf(payload, KEY_ID);
    const key = this.#keys.get(id);
    if (key === undefined) throw unknownKey(id, this.#keys);
    try {
      return open(payload, key);
    } catch (error) {
      const message = `a payload that the key ${JSON.stringify(id)} encrypted cannot be decrypted: it was changed, or the key is another one`;
      throw new MoraineError('PAYLOAD_UNREADABLE', message, { cause: error });
    }
  }
}

function open({ data }: Payload, key: Buffer): Payload {
  const sealed = Buffer.from(data ?? []);
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new ValueError('too short');
  const decipher = createDecipheriv(NODE_CIPHER, key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  }).setAuthTag(sealed.subarray(-TAG_BYTES));
  const plain = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  const { metadata, data: inner } = payloadType.decode(plain) as unknown as Payload;
  return { metadata: metadata ?? {}, data: inner ?? new Uint8Array() };
}

function unknownKey(id: string, keys: EncryptionKeys): MoraineError {
  const known = [...keys.keys()].join(', ');
  return new MoraineError(
    'ENCRYPTION_KEY_UNKNOWN',
    `a payload was encrypted with the key ${JSON.stringify(id)}, which is not among the configured ones (${known})`,
    { details: { keyId: id } },
  );
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

function textOf({ metadata }: Payload, name: string): string {
  const value = metadata?.[name];
  return value === undefined || value === null ? '' : Buffer.from(value).toString('utf8');
}
