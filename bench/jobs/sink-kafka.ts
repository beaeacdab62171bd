/** A Kafka topic into a table through the sink, beside the bare client, which keeps nothing, and DuckDB's reader and writer of the same records. */
import { join } from 'node:path';
import { Consumer } from '@platformatic/kafka';
import { sinkKafka } from '../../client/index.js';
import { KafkaServer } from '../../test/support/kafka-server.js';
import { type BenchContext, type BenchJob, figure } from '../job.js';
import {
  copyRecords,
  linesOf,
  openRecordsProject,
  RECORDS,
  RECORDS_TABLE,
  recordFacts,
  requireSameRecords,
  writeRecords,
} from '../uplink-records.js';

const NAME = 'sink-kafka';
const TOPIC = 'records';
const BATCH = 50_000;

/** Runs work beside a broker, which keeps its logs in the data folder and is no part of what is measured. */
async function besideKafka<T>({ dataFolder }: BenchContext, work: (kafka: KafkaServer) => Promise<T>): Promise<T> {
  const kafka = await KafkaServer.start(join(dataFolder, 'kafka'));
  try {
    return await work(kafka);
  } finally {
    await kafka.close();
  }
}

/** Reads the topic to its end with the client that the sink uses, as its users do. @returns bytes of the values */
async function consume(brokers: readonly string[], records: number): Promise<number> {
  const consumer = new Consumer({
    groupId: `bench-${process.pid}`,
    clientId: 'bench',
    bootstrapBrokers: [...brokers],
    autocommit: false,
  });
  const stream = await consumer.consume({ topics: [TOPIC], mode: 'earliest', autocommit: false });
  let [count, bytes] = [0, 0];
  for await (const { value } of stream) {
    count += 1;
    bytes += value.length;
    if (count === records) break;
  }
  await new Promise<void>((resolve, reject) => {
    consumer.close(true, (error) => (error === null ? resolve() : reject(error)));
  });
  return bytes;
}

export const sinkKafkaJob: BenchJob = {
  name: NAME,
  title:
    "A Kafka topic of JSON records of ten fields into a fresh table, 50,000 records a commit, every value held to its column exactly; floor: the bare client reads the topic, then one COPY of DuckDB from its JSON reader writes the same records. The broker's CPU is not counted.",
  runs: 3,
  async prepare(context) {
    await writeRecords(context);
    await besideKafka(context, async (kafka) => {
      await kafka.tool('create', TOPIC, 1);
      await kafka.tool('lines', TOPIC, 0, linesOf(context));
    });
  },
  variants: {
    ours: (context, measure) =>
      besideKafka(context, async ({ brokers }) => {
        const project = await openRecordsProject(context);
        const options = { brokers, topic: TOPIC, batchSize: BATCH, badRecords: 'drop', until: 'end' } as const;
        await measure(() => sinkKafka(project, RECORDS_TABLE, options));
        const found = await recordFacts(project);
        await project.close();
        return found;
      }),
    floor: (context, measure) =>
      besideKafka(context, async ({ brokers }) => {
        const began = process.cpuUsage();
        const valueBytes = await measure(() => consume(brokers, RECORDS[context.size]));
        const { user, system } = process.cpuUsage(began);
        const found = await copyRecords(context, measure);
        return { ...found, valueBytes, consumeSeconds: (user + system) / 1e6 };
      }),
  },
  figures(medians, size) {
    const { ours, floor } = medians;
    if (ours === undefined || floor === undefined) throw new Error('a variant was not measured');
    requireSameRecords(ours.extra, floor.extra, size);
    const records = RECORDS[size];
    return [
      figure(NAME, size, `CPU, ${records} records`, ours.cpuSeconds, 's', { floor: floor.cpuSeconds, atMost: 1.5 }),
      figure(NAME, size, 'CPU over the bare client alone', ours.cpuSeconds, 's', {
        floor: floor.extra['consumeSeconds'] ?? Number.NaN,
      }),
      figure(NAME, size, 'records per CPU second', records / ours.cpuSeconds, 'records/s', {
        floor: records / floor.cpuSeconds,
      }),
      figure(NAME, size, 'wall', ours.wallSeconds, 's', { floor: floor.wallSeconds }),
      figure(NAME, size, 'peak memory', ours.peakMb, 'MB', { floor: floor.peakMb }),
    ];
  },
};
