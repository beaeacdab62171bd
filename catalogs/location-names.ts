/** Where new tables and metadata files go. */
import { createHash, randomUUID } from 'node:crypto';
import type { TableMetadata } from '../iceberg/index.js';

const SAFE_SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;
const METADATA_FILE = /\.metadata\.json(\.gz)?$|\.gz\.metadata\.json$/;
const GZIP_METADATA_FILE = /\.gz\.metadata\.json$|\.metadata\.json\.gz$/;
const METADATA_VERSION = /^v?(\d+)(?:-[^/]*)?\.metadata\.json(?:\.gz)?$|^v?(\d+)(?:-[^/]*)?\.gz\.metadata\.json$/;

/**
 * A name as one segment of a path. A plain name stays as it is; any other has its unusual characters replaced and is
 * told apart by a hash, so that no name can leave the folder, collide with another or trouble a reader.
 */
export function pathSegment(name: string): string {
  if (SAFE_SEGMENT.test(name)) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 12);
  const readable = name.replaceAll(/[^A-Za-z0-9_-]+/g, '_').slice(0, 60);
  return `${readable}-${hash}`;
}

/** `<warehouse>/<namespace>` */
export const namespaceLocation = (warehouse: string, namespace: readonly string[]): string =>
  `${withoutTrailingSlash(warehouse)}/${pathSegment(namespace.join('.'))}`;

/** `<warehouse>/<namespace>/<table>`, as PyIceberg lays tables out; a namespace's own `location` replaces the first two. */
export function defaultTableLocation(warehouse: string, namespace: readonly string[], table: string, base?: string) {
  const folder = base ?? namespaceLocation(warehouse, namespace);
  return `${withoutTrailingSlash(folder)}/${pathSegment(table)}`;
}

export function withoutTrailingSlash(location: string): string {
  return location.length > 1 ? location.replace(/(?<=[^/])\/+$/, '') : location;
}

/** The version number in a metadata file's name, or -1. */
export function metadataVersion(location: string): number {
  const match = METADATA_VERSION.exec(location.slice(location.lastIndexOf('/') + 1));
  return match === null ? -1 : Number(match[1] ?? match[2]);
}

/** Whether a file is called as metadata files are. */
export const isMetadataFile = (location: string): boolean =>
  METADATA_FILE.test(location.slice(location.lastIndexOf('/') + 1));

/** Whether a metadata file of this name is compressed by gzip: readers of other engines go by the name. */
export const isGzipMetadataFile = (location: string): boolean => GZIP_METADATA_FILE.test(location);

/** Where a table's metadata, manifest lists and manifests go: `write.metadata.path`, or `metadata` in its location. */
export function metadataFolder(metadata: TableMetadata): string {
  const folder =
    metadata.properties.get('write.metadata.path') ?? `${withoutTrailingSlash(metadata.location)}/metadata`;
  return withoutTrailingSlash(folder);
}

/**
 * A fresh name for the metadata that follows `previous`: `metadata/<version>-<uuid>.metadata.json`, with `.gz` before it, as Java's
 * library has it, if `write.metadata.compression-codec` says gzip.
 */
export function nextMetadataLocation(metadata: TableMetadata, previous?: string): string {
  const version = previous === undefined ? 0 : metadataVersion(previous) + 1;
  const isGzip = metadata.properties.get('write.metadata.compression-codec')?.toLowerCase() === 'gzip';
  const suffix = isGzip ? '.gz.metadata.json' : '.metadata.json';
  return `${metadataFolder(metadata)}/${String(version).padStart(5, '0')}-${randomUUID()}${suffix}`;
}
