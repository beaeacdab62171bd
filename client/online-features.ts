import { type OnlineRequest, type OnlineResponse, getOnlineFeatures as readOnlineFeatures } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';

/**
 * The newest feature values of entities, every view at one snapshot.
 *
 * @throws `FEATURE_VIEW_NOT_FOUND`, `FEATURE_NOT_FOUND`, `TABLE_NOT_FOUND` (never materialized), `TYPE_MISMATCH` (a key of another
 * type), `TIMED_OUT` (never a partial answer) after the request's `readTimeoutMs` or, since all is opened first, the time of a first read
 */
export async function getOnlineFeatures(project: Project, request: OnlineRequest): Promise<OnlineResponse> {
  const { readTimeoutMs } = project.config.online;
  return readOnlineFeatures({ ...(await materializationDeps(project)), readTimeoutMs }, request);
}
