import { type Estimate, type EstimateRequest, estimate } from '../../client/index.js';
import { countedText, countText, durationText, sizeText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { formatFacts } from '../output/output.js';

type EstimateOptions = Omit<EstimateRequest, 'view' | 'dataset'> & {
  readonly dataset?: boolean;
  readonly json?: boolean;
};

/** Prints what a run would cost. A name that is both a view's and a dataset's is the view, unless said otherwise. */
export async function estimateRun(
  context: CommandContext,
  [name = '']: readonly string[],
  { json, dataset, ...request }: EstimateOptions,
): Promise<void> {
  const found = await withProject(context, async (project) => {
    const { definitions } = await (await project.registry()).read();
    const isDataset = dataset ?? (!definitions.featureViews.has(name) && (await isSaved(project, name)));
    return await estimate(project, { ...request, ...(isDataset ? { dataset: name } : { view: name }) });
  });
  if (json === true) await printJson(context, found);
  else await context.stdout.write(estimateText(found));
}

async function isSaved(project: Parameters<typeof estimate>[0], name: string): Promise<boolean> {
  const { listDatasets } = await import('../../client/index.js');
  return (await listDatasets(project)).some(({ record }) => record.name === name);
}

/** Measured runs are so many times smaller that nothing has been tried. */
const TRIED_TIMES = 3;

function estimateText({ kind, name, run, reads, cost, engine, trino, timesMeasured }: Estimate): string {
  const deletes = reads.deleteFiles === 0 ? '' : `, ${countedText(reads.deleteFiles, 'delete file')}`;
  const facts: (readonly [string, string])[] = [
    [kind, run === null ? name : `${name}: ${run.kind}, ${run.reason}`],
    [
      'reads',
      `${countedText(reads.files, 'file')}, ${sizeText(reads.fileBytes)}, ${countedText(reads.rows, 'row')}${deletes}`,
    ],
    ['writes', `${countedText(cost.rows, 'row')} in ${countedText(cost.dataFiles, 'file')}`],
    ['CPU', durationText(cost.cpuSeconds * 1000)],
    ['bytes', `${sizeText(Math.round(cost.readBytes))} read, ${sizeText(Math.round(cost.writtenBytes))} written`],
    ['requests', requestsText(cost)],
    ['shards', `${countText(cost.shards)}, each with ${sizeText(cost.shardMemoryBytes)} of memory`],
    ['engine', `${engine.choice}: ${engine.reason}`],
    ['on Trino', trinoText(trino)],
  ];
  const warning =
    timesMeasured <= TRIED_TIMES
      ? ''
      : `The largest measured run read ${Math.round(timesMeasured)} times fewer rows: take this as an order of magnitude.\n`;
  return `${formatFacts(facts)}${warning}`;
}

/** Two measured sizes make a line, and show nothing beyond them. */
function trinoText({ queries, cpuSeconds, timesMeasured }: Estimate['trino']): string {
  if (queries === 0) return 'nothing to read';
  const tried = timesMeasured <= 1 ? '' : `, which was tried with ${timesMeasured.toFixed(1)} times fewer rows`;
  return `roughly ${durationText(cpuSeconds * 1000)} of CPU, that of Trino included${tried}`;
}

function requestsText({ requests, writeRequests, catalogCalls }: Estimate['cost']): string {
  const calls = countedText(catalogCalls, 'catalog call');
  return requests === 0
    ? `none to an object store; ${calls}`
    : `${countText(requests)} to the object store, of which ${countText(writeRequests)} write; ${calls}`;
}
