import type { TrinoProgress } from '../../client/index.js';
import { countText, sizeText } from '../../errors/index.js';

/** How far a query on Trino is, in words. */
export function queryText({ queryId, state, splitsDone, splitsTotal, rowsRead, bytesRead }: TrinoProgress): string {
  const read = `${countText(rowsRead)} rows and ${sizeText(bytesRead)} read`;
  return `Trino ${queryId}: ${state.toLowerCase()}, ${splitsDone} of ${splitsTotal} splits, ${read}`;
}
