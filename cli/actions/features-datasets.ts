import { listDatasets, replay } from '../../client/index.js';
import { formatTimeUs } from '../../config/index.js';
import { countedText, countText, MoraineError } from '../../errors/index.js';
import type { DatasetRecord, ReplayResult } from '../../features/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { snapshotIds } from '../output/feature-summary.js';
import { formatColumns } from '../output/output.js';

interface JsonOption {
  readonly json?: boolean;
}

/** A dataset as JSON for people and programs. */
export function datasetJson(record: DatasetRecord): object {
  const { name, rows, digest, definitionHash, location, tag, sources, entitySources } = record;
  const states = { snapshots: snapshotIds(sources), entitySnapshots: snapshotIds(entitySources) };
  return { name, rows, digest, definitionHash, location, tag, ...states };
}

/** Lists the saved datasets. */
export async function featuresDatasets(context: CommandContext, _operands: readonly string[], options: JsonOption) {
  await withProject(context, async (project) => {
    const datasets = await listDatasets(project);
    if (options.json === true) {
      const values = datasets.map(({ record, savedAtUs }) => ({
        ...datasetJson(record),
        savedAt: formatTimeUs(savedAtUs),
      }));
      return printJson(context, values);
    }
    const rows = datasets.map(({ record: { name, rows, digest, location }, savedAtUs }) => {
      const place = 'file' in location ? location.file : location.table;
      return [name, formatTimeUs(savedAtUs), countText(rows), digest.slice(0, 12), place];
    });
    return context.stdout.write(formatColumns(['dataset', 'saved', { number: 'rows' }, 'digest', 'rows are in'], rows));
  });
}

/** Compares a dataset with what was saved; a difference is an error. */
export async function featuresReplay(context: CommandContext, [name = '']: readonly string[], options: JsonOption) {
  await withProject(context, async (project) => {
    const result = await replay(project, name, { signal: context.signal });
    if (options.json === true)
      await printJson(context, { dataset: name, ...result, storageTraffic: context.storageTraffic() });
    if (!result.matches) throw new MoraineError('VERIFICATION_FAILED', differenceText(name, result));
    if (options.json !== true)
      await context.stdout.write(`${name}: ${countedText(result.rows, 'row')}, digest ${result.recorded}, as saved.\n`);
  });
}

/** The differences between a dataset and its saved state, as text. */
function differenceText(name: string, result: ReplayResult): string {
  const { rows, recorded, stored, storedRows, recomputed, recomputedRows } = result;
  const numbers = (found: bigint | null): string =>
    found === rows
      ? `as many rows as were saved (${rows}), with other columns or values`
      : `${found} rows; ${rows} were saved`;
  const sentences = [
    stored === null
      ? 'Its rows are gone.'
      : stored === recorded
        ? 'The rows stored now are as saved.'
        : `The rows stored now differ: ${numbers(storedRows)}.`,
    recomputed === null
      ? 'It cannot be computed again: the snapshot with its entity rows as they were saved has been expired.'
      : recomputed === recorded
        ? 'Computed again, it is as saved.'
        : `Computed again, it differs: ${numbers(recomputedRows)}.`,
    `Digests: saved ${recorded}, stored ${stored ?? 'none'}, computed again ${recomputed ?? 'none'}.`,
  ];
  return `Dataset '${name}' is not as it was saved. ${sentences.join(' ')}`;
}
