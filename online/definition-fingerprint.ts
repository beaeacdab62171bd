/** The parts of a view's definition that decide the rows of its online table, five of them, so that a change can be named. */
import { createHash } from 'node:crypto';
import type { ResolvedColumn, ResolvedView } from '../features/index.js';
import { typeToString } from '../iceberg/index.js';
import { type ViewColumns, viewColumns } from './view-columns.js';

/** Digests of the parts. ttl, tags and descriptions are in none: they never change what is written. */
export interface DefinitionFingerprint {
  /** Join keys: names, types and columns. */
  readonly keys: string;
  /** The source table's name. */
  readonly source: string;
  /** Event and created time columns. */
  readonly mapping: string;
  /** Features: names, types and columns, in order (it decides among rows that tie in everything else). */
  readonly features: string;
  /** How the online table's rows are laid out, as text (`bucket[16](airport)`). */
  readonly partitioning: string;
  /** The names behind the first four, which online reads compare. Tables of earlier releases do not have them. */
  readonly columns?: ViewColumns | undefined;
}

/** @param partitioning what `partitioningText` says of the view's online table */
export function fingerprintDefinition(view: ResolvedView, partitioning: string): DefinitionFingerprint {
  return {
    keys: digest(view.joinKeys.map(columnFacts)),
    source: sourceDigest(view.sourceTable),
    mapping: digest([columnFacts(view.timestamp), view.created === null ? null : columnFacts(view.created)]),
    features: digest(view.features.map(columnFacts)),
    partitioning,
    columns: viewColumns(view),
  };
}

/** The part `source` of a fingerprint. */
export function sourceDigest(table: string): string {
  return digest(table);
}

/** Names of the parts that differ, in a fixed order. */
export function changedParts(before: DefinitionFingerprint, after: DefinitionFingerprint): readonly string[] {
  return (['keys', 'source', 'mapping', 'features', 'partitioning'] as const).filter(
    (part) => before[part] !== after[part],
  );
}

function columnFacts(column: ResolvedColumn): readonly (string | number)[] {
  return [column.name, column.sourceColumn, column.sourceFieldId, typeToString(column.type)];
}

function digest(facts: unknown): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
}
