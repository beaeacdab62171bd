/** The composition root: one configuration made into the parts that every command, activity and library call uses. */

export { compactDeps } from './compact-deps.js';
export { datasetDeps } from './dataset-deps.js';
export { maintenanceDeps, tableNames } from './maintenance-deps.js';
export { materializationDeps } from './materialization-deps.js';
export { findMovedLocations, type MovedLocations } from './moved-locations.js';
export { type OpenProjectOptions, openProject } from './open-project.js';
export type { Project, ResolvedTableName } from './project.js';
