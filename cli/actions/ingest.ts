import { resolve } from 'node:path';
import {
  changeProjectIngestBatch,
  controlProjectIngest,
  type IngestInput,
  type IngestSource,
  projectIngestStatus,
  startProjectIngest,
} from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, serverOptions, withProject } from '../context.js';
import { upsertOf, viewsOf } from '../options/record-mapping.js';
import { printable } from '../output/output.js';
import { type KafkaRunOptions, requireFiles, requireNoKafka, topicOf } from './sink-kafka.js';

const MS_PER_S = 1_000;

interface BatchOptions {
  readonly batchSize?: number | undefined;
  /** Seconds. */
  readonly batchInterval?: number | undefined;
}

type KafkaSourceOptions = Pick<KafkaRunOptions, 'kafka' | 'topic' | 'group'>;

interface StartOptions
  extends BatchOptions,
    KafkaSourceOptions,
    Pick<
      IngestInput,
      'name' | 'rest' | 'raw' | 'error' | 'extraFields' | 'badRecords' | 'deadLetters' | 'abandonLost'
    > {
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

/** Starts a workflow that has a sink follow files, or a topic of Kafka. */
export async function ingestStart(
  context: CommandContext,
  [table = '', ...files]: readonly string[],
  {
    batchSize,
    batchInterval,
    field,
    time,
    evolve,
    materialize: names,
    upsert: key,
    order,
    json,
    ...rest
  }: StartOptions,
): Promise<void> {
  const { kafka, topic, group, ...others } = rest;
  const source = sourceOf(files, { kafka, topic, group });
  const mapping = { ...(field === undefined ? {} : { fields: field }), ...(time === undefined ? {} : { times: time }) };
  const upsert = upsertOf(key, order);
  const materialize = viewsOf(names);
  const settings = {
    ...(upsert === undefined ? {} : { upsert }),
    ...(materialize === undefined ? {} : { materialize }),
    ...(evolve === undefined ? {} : { evolveSchema: evolve }),
  };
  const input = { table, source, ...batchOf({ batchSize, batchInterval }), ...mapping, ...settings, ...others };
  const run = await withProject(context, (project) => startProjectIngest(project, input));
  if (json === true) await printJson(context, run);
  else await context.stdout.write(`Started ${printable(run.workflowId)}${run.url === null ? '' : ` (${run.url})`}.\n`);
}

function sourceOf(files: readonly string[], { kafka, ...options }: KafkaSourceOptions): IngestSource {
  if (kafka !== undefined)
    return { kind: 'kafka', cluster: kafka, topic: topicOf(options, files), group: options.group };
  requireNoKafka(options);
  requireFiles(files);
  return { kind: 'files', files: files.map((file) => resolve(file)) };
}

type Action = (context: CommandContext, operands: readonly string[]) => Promise<void>;

/** What is said to an ingest, by the command's name. */
export const ingestControls: Readonly<Record<'pause' | 'resume' | 'drain', Action>> = {
  pause: (context, operands) => control(context, operands, 'pause', 'Pausing'),
  resume: (context, operands) => control(context, operands, 'resume', 'Resumed'),
  drain: (context, operands) => control(context, operands, 'drain', 'Draining'),
};

async function control(
  context: CommandContext,
  [id = '']: readonly string[],
  name: 'pause' | 'resume' | 'drain',
  done: string,
): Promise<void> {
  await withProject(context, (project) => controlProjectIngest(project, id, name, serverOptions(context)));
  await context.stdout.write(`${done} ${printable(id)}.\n`);
}

export async function ingestBatch(
  context: CommandContext,
  [id = '']: readonly string[],
  options: BatchOptions,
): Promise<void> {
  const { batchSize, batchIntervalMs } = await withProject(context, (project) =>
    changeProjectIngestBatch(project, id, batchOf(options), serverOptions(context)),
  );
  await context.stdout.write(
    `${printable(id)} now commits every ${countedText(batchSize, 'record')}, and every ${batchIntervalMs / MS_PER_S} s.\n`,
  );
}

export async function ingestStatus(
  context: CommandContext,
  [id = '']: readonly string[],
  { json }: { readonly json?: boolean },
): Promise<void> {
  const status = await withProject(context, (project) => projectIngestStatus(project, id, serverOptions(context)));
  if (json === true) {
    await printJson(context, status);
    return;
  }
  const { step, table, name, source, rows, commits, rejected, batchSize, batchIntervalMs } = status;
  const left = Object.entries(rejected).map(([reason, count]) => `${reason} ${count}`);
  await context.stdout.write(
    `${printable(id)}: ${step}\n` +
      `table    ${printable(table)}, sink ${printable(name)}\n` +
      sourceLines(source) +
      `batches  ${countedText(batchSize, 'record')}, or ${batchIntervalMs / MS_PER_S} s\n` +
      `written  ${countedText(rows, 'row')} in ${countedText(commits, 'commit')}, by attempts that have ended\n` +
      (left.length === 0 ? '' : `left out ${left.join(', ')}\n`),
  );
}

const sourceLines = (source: IngestSource): string =>
  source.kind === 'kafka'
    ? `topic    ${printable(source.topic)} of Kafka cluster ${printable(source.cluster)}\n`
    : source.files.map((file) => `file     ${printable(file)}\n`).join('');

function batchOf({ batchSize, batchInterval }: BatchOptions) {
  return {
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(batchInterval === undefined ? {} : { batchIntervalMs: batchInterval * MS_PER_S }),
  };
}
