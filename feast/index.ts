/** Feast: reading a repository and its registry, and what becomes of them here. */

export type { TableSchema } from './definition-value.js';
export { type ExportedRegistry, exportRegistry, type LeftOut, type RegistryExport } from './export-registry.js';
export { replaceFile, requireFeastProjectName, writeFeastRepository } from './export-repository.js';
export { namedType } from './feast-type.js';
export type { Finding, FindingOutcome } from './finding.js';
export type { ImportedDefinitions } from './import-definitions.js';
export { type FeastImport, type FeastImportOptions, importFeast } from './import-repository.js';
export { type FeastRepository, readFeastRepository } from './repository.js';
