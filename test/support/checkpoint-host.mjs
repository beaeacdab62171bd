// A host of the library's sink with checkpoints of its own: node checkpoint-host.mjs DIST FOLDER SEED '{"catalog": .., "topic": ..}'
//
// It reads FOLDER/a.ndjson and FOLDER/b.ndjson to their ends, each a partition of its source whose positions are numbers of lines, or the two
// partitions of a topic of Kafka, whose positions are offsets. It keeps its checkpoints in FOLDER/checkpoints: the next positions to read, and
// the sink's staged batches. A new process begins with the newest one.
// Each moment that it comes to is a line of standard output; MORAINE_DIE_AT="MOMENT N" kills it with SIGKILL when it comes there for the
// N-th time.

import { readFileSync, writeSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist, folder, seed, place] = process.argv.slice(2);
const { catalog, topic } = JSON.parse(place);
const { jsonObjects, openIcebergSink } = await import(pathToFileURL(join(dist, 'index.js')).href);

/** Lines that are given to the sink at once; they begin at multiples of this, also after an older checkpoint. */
const PIECE = 5;
const MOST_PIECES = 3;
const SOURCE = ['a', 'b'];
const CHECKPOINTS = join(folder, 'checkpoints');

const [dieMoment, dieTime] = (process.env.MORAINE_DIE_AT ?? ' ').split(' ');
const times = new Map();
let state = Number(seed);

/** A whole number from 0 to below a limit. */
function random(limit) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function reach(moment) {
  writeSync(1, `${moment}\n`);
  times.set(moment, (times.get(moment) ?? 0) + 1);
  if (moment === dieMoment && times.get(moment) === Number(dieTime)) process.kill(process.pid, 'SIGKILL');
}

/** Numbers of the checkpoints that there are. */
async function numbers() {
  await mkdir(CHECKPOINTS, { recursive: true });
  const names = (await readdir(CHECKPOINTS)).filter((name) => name.endsWith('.json'));
  return names.map((name) => Number(name.replace('.json', '')));
}

async function lastCheckpoint() {
  const newest = Math.max(-1, ...(await numbers()));
  if (newest < 0) return { number: -1, next: Object.fromEntries(SOURCE.map((partition) => [partition, 0])) };
  return { ...JSON.parse(await readFile(join(CHECKPOINTS, `${newest}.json`), 'utf8')), number: newest };
}

/** Whole or not at all, and durable. */
async function saveCheckpoint({ number, next, sinkState }) {
  const temporary = join(CHECKPOINTS, `${number}.tmp`);
  const file = await open(temporary, 'w');
  await file.writeFile(JSON.stringify({ next, sinkState }));
  await file.sync();
  await file.close();
  reach('half-saved');
  await rename(temporary, join(CHECKPOINTS, `${number}.json`));
}

/** Records of a file, by position. */
const recordsOf = (partition) =>
  readFileSync(join(folder, `${partition}.ndjson`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Records of the topic by position, from the next ones up to the ends that the partitions have now. */
async function consumed(next) {
  const { Consumer } = await import('@platformatic/kafka');
  // In a group of its own: nobody waits for the session of a process that was killed.
  const consumer = new Consumer({ clientId: 'host', groupId: `host-${process.pid}`, bootstrapBrokers: topic.brokers });
  const ends = (await consumer.listOffsets({ topics: [topic.name] })).get(topic.name);
  const records = SOURCE.map((_, partition) => Array.from({ length: Number(ends[partition]) }));
  let left = SOURCE.reduce((sum, name, partition) => sum + Number(ends[partition]) - next[name], 0);
  if (left > 0) {
    const offsets = SOURCE.map((name, partition) => ({ topic: topic.name, partition, offset: BigInt(next[name]) }));
    const stream = await consumer.consume({ topics: [topic.name], mode: 'manual', offsets, maxWaitTime: 100 });
    for await (const { partition, offset, value } of stream) {
      if (offset >= ends[partition]) continue;
      records[partition][Number(offset)] = JSON.parse(value);
      left -= 1;
      if (left === 0) break;
    }
  }
  await consumer.close(true);
  return Object.fromEntries(SOURCE.map((name, partition) => [name, records[partition]]));
}

const { sink, close } = await openIcebergSink({
  ...catalog,
  tableName: 'iot.uplinks',
  batchSize: Infinity,
  batchIntervalSeconds: Infinity,
  numPartitions: SOURCE.length,
});
reach('opened');
const last = await lastCheckpoint();
const next = { ...last.next };
let { number } = last;
if (last.sinkState !== undefined) await sink.restore(last.sinkState);
reach('restored');
const source =
  topic === undefined
    ? Object.fromEntries(SOURCE.map((partition) => [partition, recordsOf(partition)]))
    : await consumed(next);

async function read(partition, writer) {
  for (let pieces = random(MOST_PIECES + 1); pieces > 0; pieces -= 1) {
    const from = next[partition];
    const records = source[partition].slice(from, from + PIECE);
    if (records.length === 0) return;
    const to = from + records.length;
    await writer.writeBatch(jsonObjects(records), { partition, from: BigInt(from), to: BigInt(to) });
    next[partition] = to;
  }
}

while (SOURCE.some((partition) => next[partition] < source[partition].length)) {
  await Promise.all(SOURCE.map((partition, index) => read(partition, sink.writer(index))));
  reach('read');
  const sinkState = await sink.snapshot();
  reach('staged');
  number += 1;
  await saveCheckpoint({ number, next, sinkState });
  reach('saved');
  await sink.commit(sinkState);
  reach('committed');
}
await close();
