import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { EncryptionKeys } from './encryption-keys.js';
import { EncryptionCodec } from './payload-codec.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * How clients and workers write payloads: encrypted, messages of failures too. Worker and client options take it as `dataConverter`.
 *
 * @param keys undefined: payloads stay as they are
 */
export function dataConverter(keys: EncryptionKeys | undefined): { readonly dataConverter?: DataConverter } {
  if (keys === undefined) return {};
  return {
    dataConverter: { payloadCodecs: [new EncryptionCodec(keys)], failureConverterPath: failureConverterPath() },
  };
}

/** The compiled file; in a source tree that of the last build. */
function failureConverterPath(): string {
  const compiled = here('./encoded-failures.cjs');
  return existsSync(compiled) ? compiled : here('../../dist/workers/payloads/encoded-failures.cjs');
}
