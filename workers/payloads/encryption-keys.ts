/** The keys of the payload codec: from the environment or a file, never from `moraine.yaml`. */
import { readFileSync } from 'node:fs';
import type { TemporalConfig } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';

/** Holds the keys themselves, or else nothing. */
const KEYS_VARIABLE = 'MORAINE_ENCRYPTION_KEYS';
/** Names a file with the keys; it wins over `temporal.encryption.keyFile`. */
const KEY_FILE_VARIABLE = 'MORAINE_ENCRYPTION_KEY_FILE';

/** Length of a key of AES-256. */
const KEY_BYTES = 32;
const ENTRY = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([A-Za-z0-9+/]{43}=)$/;

/** Keys by id, in order: the first encrypts, all decrypt. */
export type EncryptionKeys = ReadonlyMap<string, Buffer>;

/**
 * The configured keys; undefined if payloads are not encrypted.
 *
 * @throws `CONFIG_INVALID` if keys are configured and cannot be read; the message never shows one
 */
export function resolveEncryptionKeys(
  config: Pick<TemporalConfig, 'encryptionKeyFile'>,
  environment: Readonly<Record<string, string | undefined>>,
): EncryptionKeys | undefined {
  const inline = environment[KEYS_VARIABLE];
  if (inline !== undefined) return parseEncryptionKeys(inline, KEYS_VARIABLE);
  const file = environment[KEY_FILE_VARIABLE] ?? config.encryptionKeyFile;
  return file === undefined ? undefined : parseEncryptionKeys(readKeyFile(file), file);
}

/**
 * Reads `ID:KEY` entries, separated by commas, blanks or lines; the key is 32 bytes in base64. What follows a `#` is a comment.
 *
 * @param source where the text comes from, for messages
 * @throws `CONFIG_INVALID`
 */
export function parseEncryptionKeys(text: string, source: string): EncryptionKeys {
  const entries = text
    .replaceAll(/#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  const keys = new Map<string, Buffer>();
  for (const [index, entry] of entries.entries()) {
    const [, id = '', encoded = ''] = ENTRY.exec(entry) ?? [];
    const key = Buffer.from(encoded, 'base64');
    if (key.length !== KEY_BYTES) throw invalid(source, `entry ${index + 1} is not ID:KEY with 32 bytes in base64`);
    if (keys.has(id)) throw invalid(source, `there are two keys ${JSON.stringify(id)}`);
    keys.set(id, key);
  }
  if (keys.size === 0) throw invalid(source, 'there is no key');
  return keys;
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(path, (error as NodeJS.ErrnoException).code ?? 'it cannot be read', error);
  }
}

function invalid(source: string, problem: string, cause?: unknown): MoraineError {
  const message = `the encryption keys of ${source} cannot be used: ${problem}; make one with \`openssl rand -base64 32\``;
  return new MoraineError('CONFIG_INVALID', message, cause === undefined ? {} : { cause });
}
