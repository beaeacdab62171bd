/** Summary of an answer, as one line of JSON on standard error: rows go to standard output or a file. */
import type { TableState } from '../../features/index.js';
import type { CommandContext } from '../context.js';
import { toJson } from './output.js';

/** Prints the summary if `--json` was given, with the requests and bytes of object stores so far. Ids are text. */
export function noteSummary(context: CommandContext, json: boolean | undefined, summary: object): void {
  if (json === true) context.note(toJson({ ...summary, storageTraffic: context.storageTraffic() }));
}

/** Tables by name with the snapshot that was read of each; null: it had none. */
export function snapshotIds(sources: ReadonlyMap<string, TableState>): ReadonlyMap<string, bigint | null> {
  return new Map([...sources].map(([name, { snapshotId }]) => [name, snapshotId]));
}
