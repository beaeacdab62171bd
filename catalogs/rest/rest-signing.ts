/**
 * Requests that are signed for AWS: Glue and S3 Tables have REST catalogs behind it.
 * Source: "Create a signed AWS API request", AWS Identity and Access Management user guide.
 */
import { createHash, createHmac } from 'node:crypto';
import { staticCredentials } from '../../storage/index.js';
import { optionInvalid } from '../option-invalid.js';
import type { RestOptions } from './rest-options.js';

/** A request as it will be sent. */
export interface UnsignedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** When it is sent; now unless given. */
  readonly date?: Date;
}

/** Gives the headers of a request with its signature among them. */
export type RequestSigner = (request: UnsignedRequest) => Promise<Readonly<Record<string, string>>>;

/** The service of a signature unless `rest.signing-name` says otherwise, as PyIceberg and Java have it. */
const SERVICE = 'execute-api';

/** SHA-256, or its keyed form, as the signer wants it. */
class Sha256 {
  readonly #hash;

  constructor(secret?: unknown) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}

/**
 * The signer of `rest.sigv4-enabled`; undefined without it. Credentials are those of `rest.access-key-id`, or what the AWS SDK finds.
 * @throws MoraineError `CONFIG_INVALID`
 */
export async function requestSigner(
  options: RestOptions,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RequestSigner | undefined> {
  if (options['rest.sigv4-enabled']?.toLowerCase() !== 'true') return undefined;
  const region = options['rest.signing-region'] ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  if (region === undefined) throw optionInvalid('rest.signing-region', 'is needed to sign requests');
  const { SignatureV4 } = await import('@smithy/signature-v4');
  const signer = new SignatureV4({
    service: options['rest.signing-name'] ?? SERVICE,
    region,
    credentials: await credentialsOf(options),
    sha256: Sha256,
    applyChecksum: false,
  });
  return async ({ method, url, headers, body, date = new Date() }) => {
    const { authorization, ...others } = headers;
    // A token goes on under another name, as Java's client has it.
    const token = authorization === undefined ? {} : { 'original-authorization': authorization };
    const request = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...others, ...token, host: url.host },
      body,
    };
    const signed = await signer.sign(request, { signingDate: date });
    return signed.headers;
  };
}

async function credentialsOf(options: RestOptions) {
  const given = staticCredentials(options, 'rest', optionInvalid);
  if (given !== undefined) return given;
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  return defaultProvider();
}
