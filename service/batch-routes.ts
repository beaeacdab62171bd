/** Batches of predictions: the newest features of entities, of views that are online and of others. */
import { stringify } from 'lossless-json';
import { MoraineError } from '../errors/index.js';
import { type Definitions, findFeatureView } from '../features/index.js';
import type { OnlineReader } from '../online/index.js';
import type { Project } from '../project/index.js';
import { batchJson } from './batch-json.js';
import { BATCH_ANSWER, BATCH_REQUEST } from './batch-schemas.js';
import { keyValueOfJson } from './key-value-json.js';
import type { OfflineProcesses } from './offline-processes.js';
import { JSON_TYPE, type Route } from './route.js';
import { sendOffline } from './send-offline.js';
import type { ServiceMetrics } from './service-metrics.js';
import { MIN_SNAPSHOT_HEADERS, minSnapshotsOf, requireReadViews } from './snapshot-headers.js';

export interface BatchDeps {
  readonly project: Project;
  readonly reader: OnlineReader;
  /** Processes for batches alone. */
  readonly batches: OfflineProcesses;
  readonly metrics: ServiceMetrics;
  readonly maxStalenessMs: number;
}

/** A body that its schema allows. */
interface BatchBody {
  readonly feature_views: readonly string[];
  readonly entities: readonly Readonly<Record<string, unknown>>[];
  readonly full_feature_names?: boolean;
}

export function batchRoutes(deps: BatchDeps): readonly Route[] {
  const { project, reader, batches, metrics, maxStalenessMs } = deps;
  const { maxBatchEntities, batchTimeoutMs } = project.config.server;
  return [
    {
      method: 'POST',
      path: '/feast/predictions/batch',
      summary: 'The newest features of entities, entity by entity; of views that are not online from their sources.',
      scope: 'read',
      body: BATCH_REQUEST,
      answers: { 200: BATCH_ANSWER },
      errors: [404, 409, 410, 429, 501, 503, 504],
      headers: MIN_SNAPSHOT_HEADERS,
      handle: async ({ body, headers }, reply) => {
        const { feature_views, entities, full_feature_names: fullFeatureNames = false } = body as BatchBody;
        requireFew(entities.length, maxBatchEntities);
        const views = [...new Set(feature_views)];
        const minSnapshots = minSnapshotsOf(headers);
        const [notOnline] = await viewsNotOnline(reader, views, maxStalenessMs);
        if (notOnline === undefined) {
          const request = { features: views, entities, fullFeatureNames, readKeyValue: keyValueOfJson, maxStalenessMs };
          const response = await reader.getOnlineFeatures({ ...request, minSnapshots });
          if (minSnapshots !== undefined) requireReadViews(minSnapshots, response.snapshots);
          metrics.read(entities.length);
          return reply.type(JSON_TYPE).send(Buffer.concat([...batchJson(response, entities)]));
        }
        if (minSnapshots !== undefined) throw notWithSources(notOnline);
        const request = { views, entities: stringify(entities) ?? '', fullFeatureNames, timeoutMs: batchTimeoutMs };
        metrics.read(entities.length);
        return await sendOffline(reply, batches, { kind: 'batch', request });
      },
    },
  ];
}

function requireFew(count: number, max: number): void {
  if (count <= max) return;
  throw new MoraineError(
    'LIMIT_EXCEEDED',
    `The request has ${count} entities, and may have ${max} (server.maxBatchEntities). Ask for fewer at once.`,
  );
}

/** A view that is read from its source is read as it is now: nothing waits for a snapshot of it. */
function notWithSources(view: string): MoraineError {
  return new MoraineError(
    'INVALID_ARGUMENT',
    `The header Moraine-Min-Snapshot is for batches whose views are all online, and '${view}' is not: it is read from its source table as it is now.`,
    { remedy: 'Leave the header out, or ask for the online views in a request of their own.' },
  );
}

/** The views that are not online. @throws FEATURE_VIEW_NOT_FOUND */
async function viewsNotOnline(
  reader: OnlineReader,
  views: readonly string[],
  maxStalenessMs: number,
): Promise<readonly string[]> {
  let definitions: Definitions = await reader.definitions(maxStalenessMs);
  // One that was registered since is not refused.
  if (!views.every((view) => definitions.featureViews.has(view))) definitions = await reader.definitions(0);
  return views.filter((view) => !findFeatureView(definitions, view).online);
}
