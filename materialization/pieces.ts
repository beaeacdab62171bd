/** The pieces of a run: shards, and the parts before them. Pure. */
import type { ResolvedView } from '../features/index.js';
import { chooseEngine, type EngineChoice, type EngineType, MAX_PARTS } from '../reduction/index.js';
import type { Table } from '../tables/index.js';
import type { RunKind } from './decide.js';
import { type MaterializationPlan, planSize } from './plan.js';
import { countFiles } from './reduction-parts.js';
import { planShards, type ShardSizing } from './shards.js';

/**
 * Whether Trino reads for a run.
 * @param run what the run asks for
 * @throws MoraineError `CONFIG_INVALID` if Trino is asked for and not configured
 */
export function isForTrino(
  engines: EngineChoice | undefined,
  run: EngineType | undefined,
  { view, source }: { readonly view: ResolvedView; readonly source: Table },
  planned: Pick<MaterializationPlan, 'appendReads' | 'rebuild'>,
): boolean {
  const reads = [...planned.appendReads, ...(planned.rebuild?.reads ?? [])];
  const read = { source, bytes: planSize(planned).bytes, snapshotIds: reads.map(({ snapshotId }) => snapshotId) };
  return chooseEngine(engines, read, { run, view: view.engine }).engine === 'trino';
}

/**
 * As many parts as shards, where there are several of both: with a single file there is nothing to share but the file itself. Trino reads all
 * files in one part, and is not asked about a source that has none left.
 */
export function planPieces(
  kind: RunKind,
  reads: Pick<MaterializationPlan, 'appendReads' | 'rebuild'>,
  { isForTrino, ...sizing }: Omit<ShardSizing, 'sourceRows'> & { readonly isForTrino: boolean },
): Pick<MaterializationPlan, 'shards' | 'reduction'> {
  if (kind === 'nothing') return { shards: [], reduction: null };
  const shards = planShards({ ...sizing, sourceRows: planSize(reads).rows });
  const files = countFiles(reads);
  if (isForTrino && files > 0) return { shards, reduction: { engine: 'trino', parts: 1 } };
  const parts = Math.min(shards.length, files, MAX_PARTS);
  return { shards, reduction: parts < 2 ? null : { engine: 'duckdb', parts } };
}
