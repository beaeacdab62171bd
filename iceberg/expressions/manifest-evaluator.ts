/** Pruning of manifests and partitions. Source: Apache Iceberg specification, "Scan Planning". */

import type { ManifestFile } from '../manifests/data-file.js';
import type { PartitionSpec, PartitionTuple } from '../partitions/partition-spec.js';
import { type ColumnFacts, hasNan, mightMatchFacts, readBounds } from './column-facts.js';
import type { BoundExpression, BoundReference } from './expression.js';
import { evaluate } from './expression-evaluate.js';

const NOTHING_KNOWN: ColumnFacts = { allNull: false, noNulls: false, allNan: false, noNan: false };

/**
 * Whether a manifest might list a file with matching rows, by its partition summaries.
 * @param projected of {@link projectInclusive} for the manifest's spec
 */
export function manifestMightMatch(projected: BoundExpression, manifest: ManifestFile, spec: PartitionSpec): boolean {
  return mightMatchFacts(projected, (ref) => summaryFacts(ref, manifest, spec));
}

function summaryFacts(ref: BoundReference, manifest: ManifestFile, spec: PartitionSpec): ColumnFacts {
  const { partitions } = manifest;
  const position = spec.fields.findIndex(({ fieldId }) => fieldId === ref.fieldId);
  const summary = partitions?.[position];
  if (summary === undefined || partitions?.length !== spec.fields.length) return NOTHING_KNOWN;
  const bounds = readBounds(ref.type, summary.lowerBound, summary.upperBound);
  const unbounded = summary.lowerBound === undefined && summary.upperBound === undefined;
  const noNan = !hasNan(ref.type) || summary.containsNan === false;
  return {
    allNull: summary.containsNull && unbounded && noNan,
    noNulls: !summary.containsNull,
    allNan: false,
    noNan,
    ...bounds,
  };
}

/**
 * Whether the rows of one partition might match.
 * @param projected of {@link projectInclusive} for the file's own spec
 */
export function partitionMightMatch(
  projected: BoundExpression,
  partition: PartitionTuple,
  spec: PartitionSpec,
): boolean {
  return evaluate(projected, (id) => partition[spec.fields.findIndex(({ fieldId }) => fieldId === id)]);
}
