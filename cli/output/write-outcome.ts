/** What a write of rows has done, as text. */
import type { OnlineWriteResult } from '../../client/index.js';
import { countedText } from '../../errors/index.js';

/** A clause. @param nothing why nothing was written, where nothing was */
export function writeOutcomeText(
  { outcome, snapshotId, rows, files }: Pick<OnlineWriteResult, 'outcome' | 'snapshotId' | 'rows' | 'files'>,
  nothing: string,
): string {
  if (outcome === 'nothing') return `nothing was written: ${nothing}`;
  if (outcome === 'already-committed') return `written before under this key, snapshot ${snapshotId}`;
  return `wrote ${countedText(rows, 'row')} in ${countedText(files, 'file')}, snapshot ${snapshotId}`;
}
