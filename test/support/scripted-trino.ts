/** A server that answers as Trino does, by what a test says of each statement; it runs nothing. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { FeatureLab } from './feature-lab.js';

/** The answer to a statement: rows, or an error as Trino has it. */
interface TrinoAnswer {
  readonly status?: number;
  readonly data?: readonly (readonly unknown[])[];
  /** Of a statement that writes: its id and how many rows it wrote. */
  readonly id?: string;
  readonly updateCount?: number;
  readonly error?: { readonly errorName: string; readonly errorType: string; readonly message?: string };
}

/** What a test says of a statement; undefined: as a Trino that sees the same tables. */
export type TrinoScript = (sql: string) => TrinoAnswer | undefined | Promise<TrinoAnswer | undefined>;

/** Sees the tables of a lab, and writes no rows: an insert of none leaves no snapshot, too. */
export async function serveTrino(lab: FeatureLab, script: TrinoScript = () => undefined, version = '476') {
  const statements: string[] = [];
  const answerTo = async (sql: string): Promise<TrinoAnswer> => {
    if (sql.includes('system.metadata.catalogs')) return { data: [['iceberg']] };
    if (sql.startsWith('INSERT')) return { updateCount: 0 };
    const [, namespace, table] = /\."([^".]+)"\."([^"$]+)\$metadata_log_entries"/.exec(sql) ?? [];
    if (namespace === undefined || table === undefined) return { data: [] };
    const { metadataLocation, metadata } = await lab.table(`${namespace}.${table}`);
    return { data: [[metadataLocation, Number(metadata.lastUpdatedMs), Number(metadata.lastSequenceNumber)]] };
  };
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk as Uint8Array);
      const sql = Buffer.concat(chunks).toString('utf8');
      if (request.method === 'POST') statements.push(sql);
      const { status = 200, ...body } = (await script(sql)) ?? (await answerTo(sql));
      const info = { nodeVersion: { version } };
      response.writeHead(status).end(JSON.stringify(request.url === '/v1/info' ? info : { id: 'q', ...body }));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, statements };
}
