/**
 * Signatures of Google Cloud Storage's XML API with HMAC keys: those of AWS, version 4, with other names.
 * Source: Cloud Storage, "Signatures" and "Canonical requests".
 */
import { createHash, createHmac } from 'node:crypto';

/** A request as it is sent. Its headers have names in lower case, `host` among them. */
export interface SignableRequest {
  readonly method: string;
  /** The path as it stands in the address, encoded. */
  readonly path: string;
  /** Names and values of the query, not encoded. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  /** Hexadecimal SHA-256 of the body. */
  readonly contentSha256: string;
}

export interface HmacKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const ALGORITHM = 'GOOG4-HMAC-SHA256';

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/**
 * The header `authorization`. All headers of the request are signed.
 * @param time as the header `x-goog-date` has it: `20261124T205900Z`
 */
export function gcsAuthorization(
  request: SignableRequest,
  { accessKeyId, secretAccessKey }: HmacKey,
  time: string,
): string {
  const day = time.slice(0, 8);
  const scope = `${day}/auto/storage/goog4_request`;
  const names = Object.keys(request.headers).toSorted();
  const canonical = [
    request.method,
    request.path,
    request.query
      .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      .toSorted()
      .join('&'),
    ...names.map((name) => `${name}:${request.headers[name]?.trim().replace(/\s+/g, ' ') ?? ''}`),
    '',
    names.join(';'),
    request.contentSha256,
  ].join('\n');
  const hmac = (key: string | Uint8Array, text: string): Uint8Array => createHmac('sha256', key).update(text).digest();
  const key = ['auto', 'storage', 'goog4_request'].reduce(hmac, hmac(`GOOG4${secretAccessKey}`, day));
  const signature = createHmac('sha256', key)
    .update([ALGORITHM, time, scope, sha256(canonical)].join('\n'))
    .digest('hex');
  return `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
}

/** Source: RFC 3986, section 2.3. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
