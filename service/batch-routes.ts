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
      handle: async ({ body }, reply) => {
        const { feature_views, entities, full_feature_names: fullFeatureNames = false } = body as BatchBody;
        requireFew(entities.length, maxBatchEntities);
        const views = [...new Set(feature_views)];
        if (await areOnline(reader, views, maxStalenessMs)) {
          const request = { features: views, entities, fullFeatureNames, readKeyValue: keyValueOfJson, maxStalenessMs };
          const response = await reader.getOnlineFeatures(request);
          metrics.read(entities.length);
          return reply.type(JSON_TYPE).send(Buffer.concat([...batchJson(response, entities)]));
        }
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

/** Whether all views are online. @throws FEATURE_VIEW_NOT_FOUND */
async function areOnline(reader: OnlineReader, views: readonly string[], maxStalenessMs: number): Promise<boolean> {
  let definitions: Definitions = await reader.definitions(maxStalenessMs);
  // One that was registered since is not refused.
  if (!views.every((view) => definitions.featureViews.has(view))) definitions = await reader.definitions(0);
  return views.every((view) => findFeatureView(definitions, view).online);
}
