/** Temporal's remote codec over HTTP: with it, Temporal's web UI and command read what is encrypted. */
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import type { HostAndPort } from '../../config/index.js';
import { isMoraineError } from '../../errors/index.js';
import { type Listening, listen } from '../observability/listen.js';
import type { EncryptionKeys } from './encryption-keys.js';
import { EncryptionCodec } from './payload-codec.js';

export interface CodecServerOptions {
  readonly keys: EncryptionKeys;
  /** The namespace whose payloads the keys are for. */
  readonly namespace: string;
  /** Origins of the web UI, such as `http://localhost:8233`: pages of others get no answer. */
  readonly origins: readonly string[];
}

/** Its URL is the codec endpoint. */
export type CodecServer = Listening;

/** More than a server sends of a history at once. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** `temporal.api.common.v1.Payloads` in protobuf's JSON, whose bytes are base64. */
const payloadsJson = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), z.string()).optional(), data: z.string().optional() })),
});

/** An answer other than the payloads. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Answers `POST /decode` and `POST /encode` for the given namespace. It decrypts for whoever can connect to it, but for pages of other
 * origins: listen on this machine alone, or put a proxy in front that knows who asks.
 *
 * @throws `INVALID_ARGUMENT` if the address cannot be listened on
 */
export async function serveCodec(address: HostAndPort, options: CodecServerOptions): Promise<CodecServer> {
  const codec = new EncryptionCodec(options.keys);
  const server = createServer((request, response) => void answer(request, response, codec, options));
  return listen(server, address, 'the codec');
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  codec: PayloadCodec,
  options: CodecServerOptions,
): Promise<void> {
  try {
    const headers = originHeaders(request, options);
    if (request.method === 'OPTIONS') return void response.writeHead(204, headers).end();
    const step = stepOf(request, codec, options);
    const { payloads } = parse(await readBody(request));
    const coded = await step(payloads.map(fromJson));
    response.writeHead(200, { ...headers, 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify({ payloads: coded.map(toJson) }));
  } catch (error) {
    const refusal = error instanceof Refusal || isMoraineError(error);
    const status = error instanceof Refusal ? error.status : refusal ? 400 : 500;
    const headers = { 'content-type': 'application/json', connection: 'close', ...allowed(request, options) };
    const message = error instanceof Error ? error.message : String(error);
    response.writeHead(status, headers).end(JSON.stringify({ message }));
  }
}

/** Browsers say which origin a page is of; the `temporal` command has none. @throws Refusal */
function originHeaders(request: IncomingMessage, options: CodecServerOptions): OutgoingHttpHeaders {
  const { origin } = request.headers;
  const headers = allowed(request, options);
  if (origin !== undefined && headers === undefined) throw new Refusal(403, `the origin ${origin} may not ask here`);
  return headers ?? {};
}

function allowed({ headers }: IncomingMessage, { origins }: CodecServerOptions): OutgoingHttpHeaders | undefined {
  const { origin } = headers;
  if (origin === undefined || !origins.includes(origin)) return undefined;
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'POST, OPTIONS',
    'access-control-allow-headers': 'content-type, x-namespace, authorization',
    'access-control-allow-credentials': 'true',
    vary: 'origin',
  };
}

/** @throws Refusal */
function stepOf(
  { url, method, headers }: IncomingMessage,
  codec: PayloadCodec,
  { namespace }: CodecServerOptions,
): PayloadCodec['decode'] {
  const steps = new Map([
    ['/decode', codec.decode.bind(codec)],
    ['/encode', codec.encode.bind(codec)],
  ]);
  const step = steps.get((url ?? '').replace(/\?.*$/, ''));
  if (step === undefined) throw new Refusal(404, `there are ${[...steps.keys()].join(' and ')}`);
  if (method !== 'POST') throw new Refusal(405, 'payloads are posted');
  const asked = headers['x-namespace'];
  if (asked !== undefined && asked !== namespace) {
    throw new Refusal(403, `the keys are those of the namespace ${namespace}, not of ${String(asked)}`);
  }
  return step;
}

/** @throws Refusal */
async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new Refusal(413, `a request has at most ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** @throws Refusal */
function parse(body: string): z.infer<typeof payloadsJson> {
  try {
    return payloadsJson.parse(JSON.parse(body));
  } catch {
    throw new Refusal(400, 'the body is not {"payloads": [{"metadata": {..}, "data": ".."}]} with bytes in base64');
  }
}

type PayloadJson = z.infer<typeof payloadsJson>['payloads'][number];

function fromJson({ metadata = {}, data = '' }: PayloadJson): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data, 'base64') };
}

function toJson({ metadata, data }: Payload): PayloadJson {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)] as const);
  return { metadata: Object.fromEntries(entries), data: base64(data) };
}

const base64 = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('base64');
