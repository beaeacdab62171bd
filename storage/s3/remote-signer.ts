/** Requests of the AWS SDK that somebody else signs. */
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { StoreRequestSigner } from '../storage-grants.js';

/** Headers that proxies and clients change on the way. Stores want all others signed. */
const UNSIGNED = new Set(['user-agent', 'expect', 'connection', 'transfer-encoding', 'x-amzn-trace-id']);

type SdkSigner = Extract<S3ClientConfig['signer'], { readonly sign: unknown }>;
type SdkRequest = Awaited<ReturnType<SdkSigner['sign']>>;

/** A signer for clients of the SDK. */
export function remoteSigner(sign: StoreRequestSigner): SdkSigner {
  return {
    sign: async (request: SdkRequest): Promise<SdkRequest> => {
      const { query = {}, method, headers } = request;
      const body: unknown = request.body;
      const url = urlOf(request);
      const signable = Object.entries(headers).filter(([name]) => !UNSIGNED.has(name.toLowerCase()));
      const signed = await sign({
        method,
        url,
        headers: Object.fromEntries([...signable, ['host', url.host]]),
        // The objects to delete stand in the body.
        ...(method === 'POST' && 'delete' in query && typeof body === 'string' ? { body } : {}),
      });
      return { ...request, headers: { ...withoutNames(headers, Object.keys(signed)), ...signed } };
    },
  };
}

/** Where the client sends it, spelled as it does. */
function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((each) => `${escaped(name)}=${escaped(each)}`),
  );
  const search = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  return new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search}`);
}

/** Source: RFC 3986, section 2.3. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

function withoutNames(headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  const gone = new Set(names.map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !gone.has(name.toLowerCase())));
}
