import { type SinkFilesOptions, type SinkInput, sinkFiles } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { followedPath, inputPath } from '../options/input-path.js';
import { timesOf, upsertOf, viewsOf } from '../options/record-mapping.js';
import { printable } from '../output/output.js';
import {
  AT_LEAST_ONCE_TEXT,
  commitReporter,
  leftOutText,
  ProgressReport,
  supersededText,
  writtenText,
} from '../output/sink-report.js';
import { type KafkaRunOptions, requireFiles, requireNoKafka, sinkKafkaRun } from './sink-kafka.js';

interface SinkRunOptions
  extends KafkaRunOptions,
    Pick<
      SinkFilesOptions,
      | 'create'
      | 'partition'
      | 'name'
      | 'batchSize'
      | 'rest'
      | 'raw'
      | 'error'
      | 'extraFields'
      | 'badRecords'
      | 'deadLetters'
      | 'abandonLost'
      | 'follow'
    > {
  readonly batchInterval?: number;
  /** Paths by column. */
  readonly field?: Readonly<Record<string, string>>;
  readonly time?: Readonly<Record<string, string>>;
  readonly evolve?: boolean;
  /** Names of feature views. */
  readonly materialize?: string;
  /** Columns of the key. */
  readonly upsert?: string;
  readonly order?: string;
  readonly json?: boolean;
}

const MS_PER_S = 1_000;
const STANDARD_INPUT = '-';

/** Writes the records of files into a table, from where an earlier run has ended. */
export async function sinkRun(
  context: CommandContext,
  operands: readonly string[],
  { batchInterval, field, time, evolve, materialize, upsert, order, json, ...options }: SinkRunOptions,
): Promise<void> {
  if (options.kafka !== undefined)
    return await sinkKafkaRun(context, operands, {
      ...options,
      batchInterval,
      field,
      time,
      evolve,
      materialize,
      upsert,
      order,
      json,
    });
  requireNoKafka(options);
  const [table = '', ...paths] = operands;
  requireFiles(paths);
  const times = timesOf(time);
  const files = new Map<string, { readonly file: string; readonly folder: string }>();
  const placeOf = options.follow === true ? followedPath : inputPath;
  for (const path of paths) if (path !== STANDARD_INPUT) files.set(path, await placeOf(path));
  const inputs = paths.map(
    (path): SinkInput => files.get(path)?.file ?? { name: 'standard input', stream: process.stdin },
  );
  await withProject(
    context,
    async (project) => {
      const report = new ProgressReport(context, json === true);
      const result = await sinkFiles(project, table, inputs, {
        ...{ ...options, fields: field, times, evolveSchema: evolve, signal: context.signal },
        ...{ upsert: upsertOf(upsert, order), materialize: viewsOf(materialize) },
        batchIntervalMs: batchInterval === undefined ? undefined : batchInterval * MS_PER_S,
        onCommit: commitReporter(context),
        onNotice: (text) => context.note(printable(text)),
        onProgress: (progress) => report.tell(progress, countedText(progress.lagBytes, 'byte')),
      });
      await report.end();
      const read = [...files.keys()].map((file, index) => ({ file, position: result.files[index]?.position ?? 0n }));
      if (json === true) {
        await printJson(context, {
          ...{ table, ...result, rows: Number(result.rows), superseded: Number(result.superseded) },
          files: read.map(({ file, position }) => ({ file, position: Number(position) })),
        });
        return;
      }
      await context.stdout.write(writtenText(table, result));
      for (const { file, position } of read)
        await context.stdout.write(`${printable(file)}: written up to byte ${position}.\n`);
      if (result.delivery === 'at-least-once') await context.stdout.write(AT_LEAST_ONCE_TEXT);
      await context.stdout.write(supersededText(result.superseded, 'record'));
      await context.stdout.write(leftOutText(result, options.deadLetters));
      if (result.isInterrupted && options.follow !== true)
        context.note('It was interrupted: run the command again to go on from there.');
    },
    { fileFolders: [...files.values()].map(({ folder }) => folder) },
  );
}
