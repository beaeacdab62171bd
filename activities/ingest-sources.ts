/** The sources of ingests. Which of them a worker reads, and how it logs in there, its own configuration says: inputs of workflows are anybody's, and kept. */
import { realpath } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { mappingOf, openProjectSink, type Project } from '../project/index.js';
import { FollowedFiles, FollowedTopic, type IcebergSink, type KafkaAccess, type SinkAttempt } from '../sink/index.js';
import type { IngestRequest } from './ingest-request.js';

/** Brokers that are away for longer end the attempt, so that people see it; then nothing is claimed before they answer. */
const BROKERS_AWAY_MS = 60_000;

/** When the reading ends: when the signal is aborted, or at the ends that the source has at the start. */
export interface HowLong {
  readonly until: 'stopped' | 'ends';
  readonly signal: AbortSignal;
  /** Told what a person may want to know of the source. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** A source that is read into a sink. */
export interface IngestReading {
  readonly sink: IcebergSink;
  readonly source: {
    /** Leaves it to the caller to close the sink. @returns whether it came to the ends, if it was to */
    read(): Promise<boolean>;
    close(): Promise<void>;
  };
}

/** Opens a source, and the sink that gets its records, unless a later attempt has the sink. @throws `SINK_FENCED`; `INVALID_ARGUMENT` for one that this worker may not read; what opening them throws */
export async function openIngestSource(
  project: Project,
  { table, source, ...asked }: IngestRequest,
  attempt: SinkAttempt,
  howLong: HowLong,
): Promise<IngestReading> {
  const { name, batchSize } = asked;
  const openSink = async (): Promise<IcebergSink> => {
    howLong.signal.throwIfAborted();
    return await openProjectSink(project, table, { ...asked, attempt });
  };
  // What may come right is tried again by another attempt, so that people see it.
  const options = { ...howLong, mapping: mappingOf(asked, asked), retries: false };
  if (source.kind === 'files') {
    await requireReadable(project, source.files);
    const sink = await openSink();
    return { sink, source: new FollowedFiles(sink, source.files, batchSize, options) };
  }
  const { cluster, topic, group } = source;
  const topicOptions = { ...options, topic, group, name, batchSize, limitMs: BROKERS_AWAY_MS };
  const followed = await FollowedTopic.open(clusterOf(project, cluster), topicOptions, openSink);
  return { sink: followed.sink, source: followed };
}

/** @throws `INVALID_ARGUMENT` */
function clusterOf({ config }: Project, name: string): KafkaAccess {
  const { ingestKafka } = config.worker;
  const cluster = ingestKafka.get(name);
  if (cluster !== undefined) return cluster;
  const known = ingestKafka.size === 0 ? 'It has none.' : `It has ${[...ingestKafka.keys()].join(', ')}.`;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `The Kafka cluster ${JSON.stringify(name)} is none that this worker may read: name it in worker.ingestKafka of its moraine.yaml. ${known}`,
  );
}

/** Whoever starts workflows must not read every file of the worker. @throws `INVALID_ARGUMENT` */
async function requireReadable({ config }: Project, files: readonly string[]): Promise<void> {
  const folders = await Promise.all(config.worker.ingestFolders.map((folder) => realpath(folder).catch(() => folder)));
  for (const file of files) {
    const folder = await realpath(dirname(file)).catch(() => null);
    if (folder === null) throw new MoraineError('INPUT_UNREADABLE', `The folder of ${file} does not exist.`);
    if (folders.some((allowed) => isIn(allowed, folder))) continue;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `${file} is in no folder that this worker may read: name its folder in worker.ingestFolders of its moraine.yaml.`,
    );
  }
}

function isIn(allowed: string, folder: string): boolean {
  const path = relative(allowed, folder);
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`));
}
