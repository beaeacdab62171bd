/** Properties of the tables that Moraine makes. */
import type { CreateTableRequest } from './catalog.js';

/**
 * A metadata file lists every snapshot, and every commit writes another file: uncompressed and all kept, they outgrow the data of a table
 * with many small commits. Five old ones let a reader finish that has just learnt of one, and a person go back by hand.
 */
const TABLE_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['write.metadata.compression-codec', 'gzip'],
  ['write.metadata.delete-after-commit.enabled', 'true'],
  ['write.metadata.previous-versions-max', '5'],
]);

/** The request of a new table, which keeps few and compressed metadata files unless its own properties say otherwise. */
export function withTableDefaults(request: CreateTableRequest): CreateTableRequest {
  return { ...request, properties: new Map([...TABLE_DEFAULTS, ...(request.properties ?? [])]) };
}
