/** The paths of the service. */
import { type BatchDeps, batchRoutes } from './batch-routes.js';
import { type FeastDeps, feastRoutes } from './feast-routes.js';
import { type JobDeps, jobRoutes } from './job-routes.js';
import { type OfflineDeps, offlineRoutes } from './offline-routes.js';
import { type ReadDeps, readRoutes } from './read-routes.js';
import type { Route } from './route.js';
import { type StateDeps, stateRoutes } from './state-routes.js';
import { type TableDeps, tableRoutes } from './table-routes.js';
import { type WriteDeps, writeRoutes } from './write-routes.js';

export interface RouteDeps
  extends BatchDeps,
    FeastDeps,
    JobDeps,
    OfflineDeps,
    ReadDeps,
    StateDeps,
    TableDeps,
    WriteDeps {}

export function routesOf(deps: RouteDeps): readonly Route[] {
  return [
    ...readRoutes(deps),
    ...writeRoutes(deps),
    ...batchRoutes(deps),
    ...offlineRoutes(deps),
    ...jobRoutes(deps),
    ...feastRoutes(deps),
    ...tableRoutes(deps),
    ...stateRoutes(deps),
  ];
}
