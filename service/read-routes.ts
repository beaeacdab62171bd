/** Paths that read features. */
import type { OnlineReader } from '../online/index.js';
import { answerJson } from './answer-json.js';
import type { AnswerLog } from './answer-log.js';
import { keyValueOfJson } from './key-value-json.js';
import { type OnlineBody, readOnlineBody } from './online-body.js';
import { JSON_TYPE, type Route } from './route.js';
import { ONLINE_ANSWER, ONLINE_REQUEST } from './schemas.js';
import type { ServiceMetrics } from './service-metrics.js';
import {
  LEFT_OUT_HEADERS,
  MIN_SNAPSHOT_HEADERS,
  minSnapshotsOf,
  requireReadViews,
  SNAPSHOT_FORM,
  STALENESS_HEADER,
  viewSnapshotHeaders,
} from './snapshot-headers.js';

export interface ReadDeps {
  readonly reader: OnlineReader;
  readonly metrics: ServiceMetrics;
  readonly answerLog: AnswerLog;
  readonly maxStalenessMs: number;
  readonly maxEntities: number;
}

export function readRoutes(deps: ReadDeps): readonly Route[] {
  return [onlineFeatures(deps)];
}

function onlineFeatures({ reader, metrics, answerLog, maxStalenessMs, maxEntities }: ReadDeps): Route {
  return {
    method: 'POST',
    path: '/get-online-features',
    summary: "The newest features of entities, as Feast's feature server answers.",
    scope: 'read',
    body: ONLINE_REQUEST,
    answers: { 200: ONLINE_ANSWER },
    errors: [404, 409, 410, 429, 501, 503, 504],
    headers: MIN_SNAPSHOT_HEADERS,
    answerHeaders: {
      'Moraine-Snapshots': `The snapshots that were read: ${SNAPSHOT_FORM}, with commas between them.`,
      ...LEFT_OUT_HEADERS,
      'Moraine-Staleness-Ms': 'How long ago the tables were looked at, in milliseconds.',
    },
    handle: async ({ body, headers }, reply) => {
      const online = body as OnlineBody;
      const { columns, request } = readOnlineBody(online, maxEntities);
      const minSnapshots = minSnapshotsOf(headers);
      const found = await reader.findRows({
        ...request,
        readKeyValue: keyValueOfJson,
        maxStalenessMs,
        minSnapshots,
      });
      if (minSnapshots !== undefined) requireReadViews(minSnapshots, found.snapshots);
      metrics.read(request.entities.length);
      const sent = answerLog.sample(request, found);
      if (sent !== undefined) reply.raw.once('finish', sent);
      return reply
        .headers(viewSnapshotHeaders(found.snapshots))
        .header(STALENESS_HEADER, Math.ceil(found.stalenessMs))
        .type(JSON_TYPE)
        .send(
          smallAsText(answerJson(found, { columns, withViews: online.include_feature_view_version_metadata ?? false })),
        );
    },
  };
}

/** Up to this many bytes an answer is sent as a text. */
const TEXT_BYTES = 8192;

/**
 * Node sends a text together with the headers in one write, and bytes in a second one: for a small answer
 * the second write costs more than the text.
 */
function smallAsText(json: Buffer): Buffer | string {
  return json.length <= TEXT_BYTES ? json.toString('utf8') : json;
}
