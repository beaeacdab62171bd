/** The paths of the service. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OnlineReader } from '../online/index.js';
import { answerJson } from './answer-json.js';
import type { Scope } from './api-keys.js';
import { keyValueOfJson } from './key-value-json.js';
import { type OnlineBody, readOnlineBody } from './online-body.js';
import { type ReadinessDeps, readiness } from './readiness.js';
import { HEALTH_ANSWER, ONLINE_ANSWER, ONLINE_REQUEST, READINESS_ANSWER } from './schemas.js';
import type { ServiceMetrics } from './service-metrics.js';
import {
  MIN_SNAPSHOT_HEADER,
  parseMinSnapshots,
  requireReadViews,
  SNAPSHOTS_HEADER,
  STALENESS_HEADER,
  snapshotsText,
} from './snapshot-headers.js';

/** One method of one path. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  /** What a key must have; null: no key is needed. */
  readonly scope: Scope | null;
  readonly body?: object;
  /** Statuses that are not errors, each with the schema of its JSON; null: text. */
  readonly answers: Readonly<Record<number, object | null>>;
  /** Names of request headers that it reads, with their meaning. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Names of headers of its answer, with their meaning. */
  readonly answerHeaders?: Readonly<Record<string, string>>;
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

export interface RouteDeps extends ReadinessDeps {
  readonly reader: OnlineReader;
  readonly metrics: ServiceMetrics;
  readonly maxStalenessMs: number;
  readonly maxEntities: number;
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function routesOf(deps: RouteDeps): readonly Route[] {
  return [
    onlineFeatures(deps),
    {
      method: 'GET',
      path: '/health',
      summary: 'The process lives.',
      scope: null,
      answers: { 200: HEALTH_ANSWER },
      handle: (_, reply) => reply.send({ status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/ready',
      summary: 'Whether every online view is open.',
      scope: null,
      answers: { 200: READINESS_ANSWER, 503: READINESS_ANSWER },
      handle: async (_, reply) => {
        const found = await readiness(deps);
        return reply.status(found.status === 'ready' ? 200 : 503).send(found);
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      summary: "Metrics in Prometheus' text format.",
      scope: 'read',
      answers: { 200: null },
      handle: async (_, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.text()),
    },
  ];
}

function onlineFeatures({ reader, metrics, maxStalenessMs, maxEntities }: RouteDeps): Route {
  return {
    method: 'POST',
    path: '/get-online-features',
    summary: "The newest features of entities, as Feast's feature server answers.",
    scope: 'read',
    body: ONLINE_REQUEST,
    answers: { 200: ONLINE_ANSWER },
    headers: {
      'Moraine-Min-Snapshot': 'Snapshots that the answer must contain: VIEW=SNAPSHOT-ID, with commas between them.',
    },
    answerHeaders: {
      'Moraine-Snapshots': 'The snapshots that were read: VIEW=SNAPSHOT-ID, with commas between them.',
      'Moraine-Staleness-Ms': 'How long ago the tables were looked at, in milliseconds.',
    },
    handle: async ({ body, headers }, reply) => {
      const online = body as OnlineBody;
      const { columns, request } = readOnlineBody(online, maxEntities);
      const header = headers[MIN_SNAPSHOT_HEADER];
      const minSnapshots = header === undefined ? undefined : parseMinSnapshots(String(header));
      const response = await reader.getOnlineFeatures({
        ...request,
        readKeyValue: keyValueOfJson,
        maxStalenessMs,
        minSnapshots,
      });
      if (minSnapshots !== undefined) requireReadViews(minSnapshots, response.snapshots);
      metrics.read(request.entities.length);
      return reply
        .header(SNAPSHOTS_HEADER, snapshotsText(response.snapshots))
        .header(STALENESS_HEADER, Math.ceil(response.stalenessMs))
        .type(JSON_TYPE)
        .send(answerJson(response, { columns, withViews: online.include_feature_view_version_metadata ?? false }));
    },
  };
}
