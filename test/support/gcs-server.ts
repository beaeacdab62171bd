/**
 * A server that speaks as Google Cloud Storage's XML API does where that differs from S3, in front of an S3 server. It takes headers of
 * Google's alone, checks their signature, ignores `If-None-Match`, knows `x-goog-if-generation-match: 0` for objects and copies, ignores it
 * at the end of an upload in parts and refuses it at its beginning. Source: Cloud Storage documentation, "Request preconditions" (`If-None-Match`
 * is for requests that retrieve data) and "XML API multipart uploads" (preconditions are not supported, and the end of an upload overwrites an
 * object of the name). It was not run on the service: that headers of both families are refused is what other clients report.
 */
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { S3Server } from './s3-server.js';

export const GCS_KEY = { accessKeyId: 'GOOG1MORAINE', secretAccessKey: 'canary-secret-of-gcs' };
export const GCS_TOKEN = 'canary-token-of-gcs';

export interface GcsServer {
  readonly endpoint: string;
  /** What `storage.options` needs to use it. */
  readonly options: Readonly<Record<string, string>>;
  /** Requests so far: method, path and query. */
  readonly requests: string[];
  /** The access tokens that it takes. */
  readonly tokens: Set<string>;
  close(): void;
}

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** @param store has the objects */
export async function startGcsServer(store: S3Server): Promise<GcsServer> {
  const requests: string[] = [];
  const tokens = new Set([GCS_TOKEN]);
  const writes = new Map<string, Promise<unknown>>();
  const server = createServer((incoming, outgoing) => {
    void bodyOf(incoming).then(async (body) => {
      const url = new URL(incoming.url ?? '/', 'http://gcs');
      requests.push(`${incoming.method} ${incoming.url}`);
      const asked = { method: incoming.method ?? '', url, headers: incoming.headers, body };
      const before = writes.get(url.pathname) ?? Promise.resolve();
      const work = before
        .then(() => answer(asked, outgoing, store.endpoint, tokens))
        .catch((error: unknown) => refuse(outgoing, error));
      // Objects change one after the other.
      if (asked.method === 'PUT') writes.set(url.pathname, work);
      await work;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    options: {
      'gcs.service.host': endpoint,
      'gcs.access-key-id': GCS_KEY.accessKeyId,
      'gcs.secret-access-key': GCS_KEY.secretAccessKey,
    },
    requests,
    tokens,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function answer(
  asked: Asked,
  outgoing: ServerResponse,
  store: string,
  tokens: ReadonlySet<string>,
): Promise<void> {
  const { method, url, headers, body } = asked;
  if (Object.keys(headers).some((name) => name.startsWith('x-amz-'))) {
    throw new Refusal(400, 'ExcessHeaderValues', 'Requests cannot specify both x-amz and x-goog headers.');
  }
  authorize(asked, tokens);
  const isConditional = headers['x-goog-if-generation-match'] === '0';
  if (isConditional && url.searchParams.has('uploads')) throw new Refusal(400, 'NotImplemented', 'Not implemented.');
  const isObject = method === 'PUT' && !url.searchParams.has('uploadId');
  const path = `${url.pathname}${url.search}`;
  if (
    isConditional &&
    isObject &&
    (await send(store, { method: 'HEAD', path, headers: {}, body: Buffer.alloc(0) })).status === 200
  ) {
    throw new Refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.');
  }
  const {
    status,
    headers: given,
    body: content,
  } = await send(store, { method, path, headers: toAmazon(headers), body });
  outgoing.writeHead(status, fromAmazon(given)).end(content);
}

function refuse(outgoing: ServerResponse, error: unknown): void {
  const { status, code, message } = error instanceof Refusal ? error : new Refusal(500, 'InternalError', String(error));
  outgoing
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}

function authorize({ method, url, headers, body }: Asked, tokens: ReadonlySet<string>): void {
  const { authorization = '' } = headers;
  if (authorization.startsWith('Bearer ') && tokens.has(authorization.slice('Bearer '.length))) return;
  if (authorization.startsWith('Bearer ')) throw new Refusal(401, 'AuthenticationRequired', 'Authentication required.');
  const [, id, day, names, signature] =
    /^GOOG4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/auto\/storage\/goog4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      authorization,
    ) ?? [];
  if (id !== GCS_KEY.accessKeyId) throw new Refusal(403, 'InvalidAccessKeyId', 'The key does not exist.');
  const signed = (names ?? '').split(';');
  const unsigned = Object.keys(headers).filter((name) => name.startsWith('x-goog-') && !signed.includes(name));
  const digest = createHash('sha256').update(body).digest('hex');
  const isRight =
    unsigned.length === 0 &&
    headers['x-goog-content-sha256'] === digest &&
    signature === signatureOf(method, url, headers, signed, day ?? '');
  if (!isRight) throw new Refusal(403, 'SignatureDoesNotMatch', 'Access denied.');
}

function signatureOf(
  method: string,
  url: URL,
  headers: IncomingHttpHeaders,
  signed: readonly string[],
  day: string,
): string {
  const pairs = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`));
  const lines = [
    method,
    url.pathname,
    pairs.sort().join('&'),
    ...signed.map((name) => `${name}:${String(headers[name])}`),
    '',
    signed.join(';'),
    String(headers['x-goog-content-sha256']),
  ];
  const hash = createHash('sha256').update(lines.join('\n')).digest('hex');
  const text = ['GOOG4-HMAC-SHA256', String(headers['x-goog-date']), `${day}/auto/storage/goog4_request`, hash].join(
    '\n',
  );
  let key: Buffer = Buffer.from(`GOOG4${GCS_KEY.secretAccessKey}`);
  for (const part of [day, 'auto', 'storage', 'goog4_request']) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex');
}

function toAmazon(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = Object.entries(headers).filter(
    ([name]) =>
      ![
        'authorization',
        'if-none-match',
        'host',
        'x-goog-if-generation-match',
        'x-goog-date',
        'x-goog-user-project',
      ].includes(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name.replace(/^x-goog-/, 'x-amz-'), value]));
}

function fromAmazon(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const translated = Object.entries(headers).map(
    ([name, value]) => [name.replace(/^x-amz-meta-/, 'x-goog-meta-'), value] as const,
  );
  return Object.fromEntries(translated.filter(([name]) => !name.startsWith('x-amz-')));
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const TO_STORE =
  'AWS4-HMAC-SHA256 Credential=moraine-test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';

async function send(store: string, { method, path, headers, body }: Sent) {
  return await new Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }>(
    (resolve, reject) => {
      const forward = request(
        new URL(path, store),
        { method, headers: { ...headers, authorization: TO_STORE } },
        (incoming) => {
          bodyOf(incoming).then(
            (content) => resolve({ status: incoming.statusCode ?? 500, headers: incoming.headers, body: content }),
            reject,
          );
        },
      );
      forward.on('error', reject);
      forward.end(body);
    },
  );
}
