/** The composition root: one configuration made into the parts that every command, activity and library call uses. */

export {
  changeableTableNames,
  compactDeps,
  datasetDeps,
  hasTablesOfOthers,
  maintenanceDeps,
  materializationDeps,
  moveDeps,
  type OnSilentCatalog,
  tableNames,
  viewNames,
} from './dependencies.js';
export { enginesOf } from './engines.js';
export { findMovedLocations, type MovedLocations } from './moved-locations.js';
export { type OpenProjectOptions, openProject } from './open-project.js';
export { mappingOf, openProjectSink, requireViewsOf, type SinkSettings } from './open-sink.js';
export type { Project, ResolvedTableName } from './project.js';
export { nearestTables, type TablePlace, tablesOfFiles } from './tables-of-files.js';
