import { type OnlineRequest, type OnlineResponse, getOnlineFeatures as readOnlineFeatures } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';

/**
 * The newest feature values of entities, every view at one snapshot.
 *
 * @throws `FEATURE_VIEW_NOT_FOUND`, `FEATURE_NOT_FOUND`, `TABLE_NOT_FOUND` (never materialized), `TYPE_MISMATCH` (a key of another
 * type), `TIMED_OUT` after `online.readTimeoutMs`, never a partial answer
 */
export async function getOnlineFeatures(project: Project, request: OnlineRequest): Promise<OnlineResponse> {
  const { readTimeoutMs } = project.config.online;
  return readOnlineFeatures(await materializationDeps(project), { readTimeoutMs, ...request });
}
