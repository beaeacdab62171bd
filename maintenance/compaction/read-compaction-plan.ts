/** Reading a stored compaction plan. */
import type { TableMetadata } from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { openPinnedTable, type Table } from '../../tables/index.js';
import type { CompactionPlan, RewriteGroup } from './compact-plan.js';
import { parseGroup, parsePlanText } from './compact-plan-json.js';
import { invalid } from './compact-request.js';

const MAX_PLAN_BYTES = 512 * 2 ** 20;

/** A stored plan; its groups are parsed when they are asked for. */
export interface StoredPlan {
  readonly location: string;
  readonly head: Omit<CompactionPlan, 'groups'>;
  readonly groupCount: number;
  /** The table as it was planned; it cannot be written. */
  readonly table: Table;
  /** @throws INVALID_ARGUMENT for a number that the plan does not have */
  group(index: number): RewriteGroup;
}

/** @throws FILE_NOT_FOUND, METADATA_CORRUPT, LIMIT_EXCEEDED */
export async function readCompactionPlan(io: FileIO, location: string): Promise<StoredPlan> {
  const bytes = await io.read(location, { maxBytes: MAX_PLAN_BYTES });
  const { head, groupLines } = parsePlanText(new TextDecoder().decode(bytes), location);
  const table = await openPinnedTable(io, head, location);
  return {
    location,
    head,
    groupCount: groupLines.length,
    table,
    group: (index) => groupOf(groupLines, index, table.metadata, location),
  };
}

function groupOf(lines: readonly string[], index: number, metadata: TableMetadata, location: string): RewriteGroup {
  const line = lines[index];
  if (line === undefined)
    throw invalid(`The compaction plan ${location} has ${lines.length} groups and no number ${index}.`);
  return parseGroup(line, metadata, location);
}
