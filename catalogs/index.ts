/** Catalogs: one `Catalog` interface and its implementations. */

export type {
  Catalog,
  CommitRequest,
  CreateTableRequest,
  LiveState,
  LoadedTable,
  TableCommit,
  TableIdentifier,
} from './catalog.js';
export { type Clock, SYSTEM_CLOCK } from './clock.js';
export { afterOutcome, COMMIT_CHANNEL, type CommitEvent } from './commit-outcome.js';
export { ensureNamespace } from './ensure-namespace.js';
export { type GlueCatalogOptions, gluePlace, openGlueCatalog } from './glue/glue-catalog.js';
export { type HiveCatalogOptions, hiveAddresses, openHiveCatalog } from './hive/hive-catalog.js';
export { isMetadataFile, metadataFolder, pathSegment, withoutTrailingSlash } from './location-names.js';
export { type MemoryCatalogOptions, MemoryPointers, openMemoryCatalog } from './memory/memory-catalog.js';
export {
  DEFAULT_METADATA_LIMITS,
  type MetadataLimits,
  readTableMetadata,
  writeTableMetadata,
} from './metadata-file.js';
export { type MetadataFile, newestMetadata } from './newest-metadata.js';
export { requireChangeable } from './read-only.js';
export { openRestCatalog, type RestCatalogOptions } from './rest/open-rest-catalog.js';
export { restPrincipal } from './rest/rest-options.js';
export { databaseFile, openSqlCatalog, type SqlCatalogOptions, shownDatabase } from './sql/sql-catalog.js';
export { withTableDefaults } from './table-defaults.js';
export { formatTableName, parseTableName, type QualifiedTableName } from './table-name.js';
export { openTrinoCatalog, type TrinoCatalogOptions } from './trino/trino-catalog.js';
export {
  TrinoClient,
  TrinoFailure,
  type TrinoProgress,
  type TrinoWriteOptions,
  type TrinoWritten,
} from './trino/trino-client.js';
export { TRINO_PROOF, type TrinoOptions, trinoPlace } from './trino/trino-options.js';
export { literal as trinoLiteral, quoted as trinoQuoted } from './trino/trino-text.js';
