/** AWS Glue by moto, which takes any version for the current one: this checks it in front, as Glue does. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { S3Server } from './s3-server.js';

/** A running server. */
export interface GlueServer {
  readonly endpoint: string;
  /** What `options` of a catalog needs to use it. */
  readonly options: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface UpdateTable {
  readonly CatalogId?: string;
  readonly DatabaseName: string;
  readonly TableInput: { readonly Name: string };
  readonly VersionId?: string;
}

const STALE: Answer = {
  status: 400,
  headers: { 'content-type': 'application/x-amz-json-1.1' },
  body: '{"__type":"ConcurrentModificationException","Message":"Update table failed due to concurrent modifications."}',
};

/** Makes Glue of a moto server, which serves every service of AWS. */
export async function startGlue(moto: S3Server): Promise<GlueServer> {
  let last: Promise<unknown> = Promise.resolve();
  /** One at a time, so that nothing comes between the check and the change. */
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const next = last.then(step, step);
    last = next.catch(() => undefined);
    return next;
  };
  const answerTo = async (incoming: IncomingMessage['headers'], body: string): Promise<Answer> => {
    // An access key of twelve digits stands for an account of its own.
    const account = /Credential=(\d{12})\//.exec(String(incoming.authorization))?.[1];
    const headers = account === undefined ? incoming : { ...incoming, 'x-moto-account-id': account };
    const forward = (target: string, content: string) =>
      send(
        moto.endpoint,
        { ...headers, 'x-amz-target': target, 'content-length': `${Buffer.byteLength(content)}` },
        content,
      );
    const target = String(headers['x-amz-target']);
    if (target !== 'AWSGlue.UpdateTable') return await forward(target, body);
    const { TableInput, VersionId, ...where } = JSON.parse(body) as UpdateTable;
    const found = await forward(
      'AWSGlue.GetTable',
      JSON.stringify({ ...where, Name: TableInput.Name, VersionId: undefined, SkipArchive: undefined }),
    );
    const { Table } = JSON.parse(found.body) as { Table?: { VersionId: string } };
    if (VersionId !== undefined && Table !== undefined && Table.VersionId !== VersionId) return STALE;
    return await forward(target, body);
  };
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    void bodyOf(incoming)
      .then((body) => inTurn(() => answerTo(incoming.headers, body)))
      .then(({ status, headers, body }) => outgoing.writeHead(status, headers).end(body))
      .catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    options: {
      'glue.endpoint': endpoint,
      'glue.region': 'us-east-1',
      'glue.access-key-id': moto.options['s3.access-key-id'] ?? '',
      'glue.secret-access-key': moto.options['s3.secret-access-key'] ?? '',
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function send(endpoint: string, headers: IncomingMessage['headers'], content: string): Promise<Answer> {
  const outgoing = request(endpoint, { method: 'POST', headers, agent: false });
  outgoing.end(content);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const kept = Object.entries(answer.headers).filter(([name]) => !['content-length', 'connection'].includes(name));
  return { status: answer.statusCode ?? 0, headers: Object.fromEntries(kept), body: await bodyOf(answer) };
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
