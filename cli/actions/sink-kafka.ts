import { type SinkKafkaOptions, type SinkKafkaProgress, sinkKafka } from '../../client/index.js';
import { countedText, MoraineError } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { timesOf, upsertOf, viewsOf } from '../options/record-mapping.js';
import { printable } from '../output/output.js';
import { commitReporter, leftOutText, ProgressReport, supersededText, writtenText } from '../output/sink-report.js';

/** Options of `sink run` that are about Kafka. */
export interface KafkaRunOptions {
  readonly kafka?: string | undefined;
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
  readonly untilEnd?: boolean;
  readonly kafkaTimeout?: number;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly sasl?: NonNullable<SinkKafkaOptions['sasl']>['mechanism'];
}

interface SinkKafkaRunOptions
  extends KafkaRunOptions,
    Pick<
      SinkKafkaOptions,
      'name' | 'batchSize' | 'rest' | 'raw' | 'error' | 'extraFields' | 'badRecords' | 'deadLetters' | 'abandonLost'
    > {
  readonly batchInterval: number | undefined;
  readonly field: Readonly<Record<string, string>> | undefined;
  readonly time: Readonly<Record<string, string>> | undefined;
  readonly evolve: boolean | undefined;
  readonly materialize: string | undefined;
  readonly upsert: string | undefined;
  readonly order: string | undefined;
  readonly create?: boolean | undefined;
  readonly partition?: string | undefined;
  readonly json: boolean | undefined;
}

const MS_PER_S = 1_000;

/** Writes the records of a topic into a table, from where an earlier run has ended. */
export async function sinkKafkaRun(
  context: CommandContext,
  operands: readonly string[],
  options: SinkKafkaRunOptions,
): Promise<void> {
  const [table = '', ...files] = operands;
  const { kafka = '', batchInterval, kafkaTimeout, untilEnd, json } = options;
  const topic = topicOf(options, files);
  if (options.create === true || options.partition !== undefined)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      '--create and --partition go with files only: create the table first, with `moraine table create`.',
    );
  const { name, group, batchSize, rest, raw, error, extraFields, badRecords, deadLetters, abandonLost } = options;
  const given: SinkKafkaOptions = {
    ...{ brokers: kafka.split(',').map((broker) => broker.trim()), topic, tls: tlsOf(options), sasl: saslOf(options) },
    ...{ name, group, batchSize, fields: options.field, times: timesOf(options.time) },
    ...{ rest, raw, error, extraFields, badRecords, deadLetters, abandonLost, evolveSchema: options.evolve },
    ...{ upsert: upsertOf(options.upsert, options.order), materialize: viewsOf(options.materialize) },
    batchIntervalMs: batchInterval === undefined ? undefined : batchInterval * MS_PER_S,
    timeoutMs: kafkaTimeout === undefined ? undefined : kafkaTimeout * MS_PER_S,
    until: untilEnd === true ? 'end' : undefined,
    ...{ onCommit: commitReporter(context), onNotice: context.note, signal: context.signal },
  };
  await withProject(context, async (project) => {
    const report = new ProgressReport(context, json === true && untilEnd !== true);
    const onProgress = (progress: SinkKafkaProgress): void =>
      report.tell(progress, countedText(progress.lagRecords, 'record'));
    const result = await sinkKafka(project, table, { ...given, onProgress });
    await report.end();
    const offsets = Object.fromEntries([...result.offsets].map(([partition, offset]) => [partition, Number(offset)]));
    if (json === true) {
      const { rows, superseded } = result;
      await printJson(context, {
        ...{ table, topic, ...result, rows: Number(rows), superseded: Number(superseded), offsets },
      });
      return;
    }
    await context.stdout.write(writtenText(table, result));
    const places = Object.entries(offsets).map(([partition, offset]) => `${partition}: ${offset}`);
    if (places.length > 0)
      await context.stdout.write(`${printable(topic)}: written up to the offsets ${places.join(', ')}.\n`);
    await context.stdout.write(supersededText(result.superseded, 'record'));
    await context.stdout.write(leftOutText(result, deadLetters));
    if (result.isInterrupted && untilEnd === true)
      context.note('It was interrupted: run the command again to go on from there.');
  });
}

/** @throws INVALID_ARGUMENT where `--kafka` comes without a topic, or with files */
export function topicOf({ topic }: Pick<KafkaRunOptions, 'topic'>, files: readonly string[]): string {
  if (topic === undefined) throw new MoraineError('INVALID_ARGUMENT', '--kafka goes with --topic.');
  if (files.length === 0) return topic;
  throw new MoraineError('INVALID_ARGUMENT', 'A run reads files or a topic of Kafka: leave out the files, or --kafka.');
}

/** @throws INVALID_ARGUMENT where there are neither files nor a topic */
export function requireFiles(files: readonly string[]): void {
  if (files.length === 0)
    throw new MoraineError('INVALID_ARGUMENT', 'Name files, or a topic with --kafka and --topic.');
}

/** What goes with `--kafka` only. */
const KAFKA_ONLY = {
  ...{ topic: '--topic', untilEnd: '--until-end', group: '--group', kafkaTimeout: '--kafka-timeout', sasl: '--sasl' },
  ...{ tls: '--tls', tlsCa: '--tls-ca', tlsCert: '--tls-cert', tlsKey: '--tls-key' },
} as const satisfies Record<Exclude<keyof KafkaRunOptions, 'kafka'>, string>;

/** @throws INVALID_ARGUMENT for an option that a run that reads files does not take */
export function requireNoKafka(options: KafkaRunOptions): void {
  for (const [name, option] of Object.entries(KAFKA_ONLY))
    if (options[name as keyof typeof KAFKA_ONLY] !== undefined)
      throw new MoraineError('INVALID_ARGUMENT', `${option} goes with --kafka.`);
}

/** Files for TLS mean TLS. */
function tlsOf({ tls, tlsCa: ca, tlsCert: cert, tlsKey: key }: KafkaRunOptions): SinkKafkaOptions['tls'] {
  return ca === undefined && cert === undefined && key === undefined ? tls : { ca, cert, key };
}

/** @throws INVALID_ARGUMENT */
function saslOf({ sasl: mechanism }: KafkaRunOptions): SinkKafkaOptions['sasl'] {
  if (mechanism === undefined) return undefined;
  const { MORAINE_KAFKA_USERNAME: username, MORAINE_KAFKA_PASSWORD: password } = process.env;
  if (username !== undefined && password !== undefined) return { mechanism, username, password };
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `--sasl ${mechanism} needs the environment variables MORAINE_KAFKA_USERNAME and MORAINE_KAFKA_PASSWORD.`,
  );
}
