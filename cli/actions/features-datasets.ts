import { listDatasets, replay } from '../../client/index.js';
import { formatTimeUs } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import type { DatasetRecord } from '../../features/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { snapshotIds } from '../feature-summary.js';
import { formatColumns } from '../output.js';

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
      return [name, formatTimeUs(savedAtUs), String(rows), digest.slice(0, 12), place];
    });
    return context.stdout.write(formatColumns(['dataset', 'saved', 'rows', 'digest', 'rows are in'], rows));
  });
}

/** Computes a dataset again; another digest is an error. */
export async function featuresReplay(context: CommandContext, [name = '']: readonly string[], options: JsonOption) {
  await withProject(context, async (project) => {
    const result = await replay(project, name, { signal: context.signal });
    if (options.json === true) await printJson(context, { dataset: name, ...result });
    if (!result.matches) {
      const what = result.recomputed === result.recorded ? 'The rows stored of' : 'What was computed again of';
      throw new MoraineError(
        'VERIFICATION_FAILED',
        `${what} dataset '${name}' differ from what was saved: saved ${result.recorded}, stored ${result.stored ?? 'nothing'}, computed again ${result.recomputed}.`,
      );
    }
    if (options.json !== true)
      await context.stdout.write(`${name}: ${result.rows} rows, digest ${result.recomputed}, as saved.\n`);
  });
}
