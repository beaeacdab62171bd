/** Paths whose work is done in processes of their own. */
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { MoraineError } from '../errors/index.js';
import type { Project } from '../project/index.js';
import { acceptedType, ROW_TYPES } from './answer-format.js';
import { type HistoricalBody, type HistoricalQuery, retrievalOfBody, retrievalOfQuery } from './historical-body.js';
import { mediaTypeOf } from './media-type.js';
import type { OfflineProcesses } from './offline-processes.js';
import { HISTORICAL_QUERY, HISTORICAL_REQUEST } from './offline-schemas.js';
import type { HistoricalWork } from './offline-work.js';
import type { Route } from './route.js';
import { beginTurn } from './send-offline.js';
import { LEFT_OUT_HEADERS, TABLE_SNAPSHOT_FORM, tableSnapshotHeaders } from './snapshot-headers.js';
import { bodyTooLarge, spoolBody } from './spool.js';

export interface OfflineDeps {
  readonly offline: OfflineProcesses;
  readonly project: Project;
}

const ROWS_HEADER = 'moraine-rows';

const GIB = 2 ** 30;
/** The least rate of a body that is kept in a file. */
const BYTES_PER_SECOND = 2 ** 17;
/** Media types of bodies that are kept in a file, and the extension that the file gets. */
const SPOOLED: ReadonlyMap<string, string> = new Map([
  ['application/vnd.apache.arrow.stream', 'arrow'],
  ['application/vnd.apache.parquet', 'parquet'],
]);

export function offlineRoutes({ offline, project }: OfflineDeps): readonly Route[] {
  const idleMs = project.config.server.requestTimeoutMs;
  return [
    {
      method: 'POST',
      path: '/get-historical-features',
      summary: 'The features that were valid at the time of each entity row, in their order.',
      scope: 'read',
      query: HISTORICAL_QUERY,
      body: HISTORICAL_REQUEST,
      streamedTypes: [...SPOOLED.keys()],
      answers: { 200: { type: 'array', items: { type: 'object' } } },
      answerTypes: [...ROW_TYPES.keys()],
      errors: [404, 406, 409, 410, 429, 501, 503],
      answerHeaders: {
        'Moraine-Snapshots': `The snapshots of source tables that were read: ${TABLE_SNAPSHOT_FORM}, with commas between them.`,
        ...LEFT_OUT_HEADERS,
        'Moraine-Rows': 'How many rows the answer has.',
      },
      handle: async (request, reply) => {
        const turn = await beginTurn(reply, offline);
        try {
          const { retrieval, answerType } = await readRequest(request, turn.folder, idleMs);
          const format = ROW_TYPES.get(answerType) ?? 'json';
          const { head, bytes } = await turn.run({ kind: 'historical', request: retrieval, format });
          return await reply
            .headers({ ...tableSnapshotHeaders(head.snapshots), [ROWS_HEADER]: head.rows })
            .type(answerType)
            .send(bytes);
        } catch (error) {
          await turn.end();
          throw error;
        }
      },
    },
  ];
}

/** A request and the media type of its answer; a body that is not JSON becomes a file of the folder. */
async function readRequest(
  { body, query, headers }: FastifyRequest,
  folder: string,
  idleMs: number,
): Promise<{ readonly retrieval: HistoricalWork['request']; readonly answerType: string }> {
  const type = mediaTypeOf(headers);
  const extension = SPOOLED.get(type);
  const answerType = acceptedType(headers, extension === undefined ? 'application/json' : type);
  if (extension === undefined) {
    requireNoQuery(query as HistoricalQuery);
    return { retrieval: retrievalOfBody(body as HistoricalBody), answerType };
  }
  const file = join(folder, `entities.${extension}`);
  const retrieval = retrievalOfQuery(query as HistoricalQuery, file);
  if (Number(headers['content-length'] ?? 0) > GIB) throw bodyTooLarge(GIB);
  await spoolBody(body as Readable, file, { maxBytes: GIB, idleMs, bytesPerSecond: BYTES_PER_SECOND });
  return { retrieval, answerType };
}

/** A JSON body says everything itself. @throws INVALID_ARGUMENT */
function requireNoQuery(query: HistoricalQuery): void {
  const [name] = Object.keys(query);
  if (name === undefined) return;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `The query has '${name}', which is for Arrow and Parquet bodies: a JSON body has the field '${name}' itself.`,
  );
}
