/** The paths of the service. */
import { type FeastDeps, feastRoutes } from './feast-routes.js';
import { type JobDeps, jobRoutes } from './job-routes.js';
import { type OfflineDeps, offlineRoutes } from './offline-routes.js';
import { type ReadDeps, readRoutes } from './read-routes.js';
import type { Route } from './route.js';
import { type StateDeps, stateRoutes } from './state-routes.js';
import { type WriteDeps, writeRoutes } from './write-routes.js';

export interface RouteDeps extends FeastDeps, JobDeps, OfflineDeps, ReadDeps, StateDeps, WriteDeps {}

export function routesOf(deps: RouteDeps): readonly Route[] {
  return [
    ...readRoutes(deps),
    ...writeRoutes(deps),
    ...offlineRoutes(deps),
    ...jobRoutes(deps),
    ...feastRoutes(deps),
    ...stateRoutes(deps),
  ];
}
