/** Staging: from rows to data files that no snapshot lists yet. */

export { dataFileLocation, dataFolder } from './data-locations.js';
export { ROW_GROUP_LIMIT } from './parquet-settings.js';
export { type SizeOfFiles, sizeOfFiles } from './size-of-files.js';
export {
  type NewFiles,
  type RowsToStage,
  type StagingTable,
  stageFiles,
  stageInTurn,
  stageRows,
} from './stage-rows.js';
