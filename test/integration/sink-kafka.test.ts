/** A Kafka topic into a table, with a real broker and records of Java's producer: each record once, and never a silent gap. */
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { SinkKafkaOptions, SinkKafkaProgress, SinkKafkaResult } from '../../client/index.js';
import { createMoraine } from '../../index.js';
import { BETWEEN_TABLE, betweenWays, expectBetweenSurvived } from '../support/between-commits.js';
import { expectCheckpointsSurvived, ON_FILES } from '../support/checkpoint-rounds.js';
import { jsonLines, moraine, moraineOk, startMoraine } from '../support/cli.js';
import { kafkaOfFile } from '../support/kafka-of-file.js';
import { KAFKA_USER, type KafkaServer } from '../support/kafka-server.js';
import { expectKillsSurvived, LOCAL_CONFIG, SINK_KILLS, sinkKills } from '../support/sink-kills.js';
import { expectStopsSurvived } from '../support/stopped-runs.js';
import { lookAt } from '../support/table-look.js';
import { temporaryFolder } from '../support/temp-folder.js';

const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'device', required: false, type: 'string' },
  ],
};
const [STOPS, BETWEEN] = [sinkKills(4), sinkKills(2)];

let kafka: KafkaServer;
const kafkaFolder = kafkaOfFile((server) => (kafka = server));
// A test that failed may have left it down.
afterEach(() => kafka.restart());

interface World {
  readonly folder: string;
  /** Reads a topic to its end, in this process. */
  readonly sink: (topic: string, options?: Partial<SinkKafkaOptions>) => Promise<SinkKafkaResult>;
  /** Starts the command. */
  readonly start: (topic: string, ...options: string[]) => Running;
  readonly ids: () => Promise<readonly number[]>;
  /** Rows of each snapshot that has added some. */
  readonly added: () => Promise<readonly number[]>;
  /** Snapshots of the table. */
  readonly snapshots: () => Promise<number>;
}

interface Running {
  /** Waits until the table has so many rows; throws if the command ends before. */
  readonly until: (rows: number) => Promise<void>;
  /** Waits until the first files are written. */
  readonly untilWriting: () => Promise<void>;
  readonly untilSaid: (text: string) => Promise<void>;
  /** The same of its output. */
  readonly untilTold: (text: string) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

async function world(): Promise<World> {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, 'moraine.yaml'),
    'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n',
  );
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
  await moraineOk(['table', 'create', 'iot.uplinks', '--schema', 'schema.json'], { cwd: folder });
  const { ids, added, summaries } = await lookAt(folder);
  return {
    ...{ folder, ids, added },
    snapshots: async () => (await summaries()).length,
    sink: async (topic, options = {}) => {
      const opened = await createMoraine({ cwd: folder });
      try {
        const given = { brokers: kafka.brokers, topic, batchSize: 100, until: 'end' as const, ...options };
        return await opened.sinkKafka('iot.uplinks', given);
      } finally {
        await opened.close();
      }
    },
    start: (topic, ...options) => {
      const args = ['sink', 'run', 'iot.uplinks', '--kafka', kafka.brokers.join(','), '--topic', topic];
      const child = startMoraine([...args, '--batch-size', '100', '--batch-interval', '1', ...options], {
        cwd: folder,
      });
      let [stdout, stderr, hasEnded] = ['', '', false];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const ended = once(child, 'close').then(([code]) => {
        hasEnded = true;
        return { code: code as number | null, stdout, stderr };
      });
      const until = async (holds: () => Promise<boolean>): Promise<void> => {
        while (!(await holds())) {
          if (hasEnded) throw new Error(`the sink has ended: ${stderr}`);
          await sleep(100);
        }
      };
      return {
        ended,
        untilWriting: () => until(() => Promise.resolve(hasDataFiles(folder))),
        until: (rows) => until(async () => (await ids()).length >= rows),
        untilSaid: (text) => until(() => Promise.resolve(stderr.includes(text))),
        untilTold: (text) => until(() => Promise.resolve(stdout.includes(text))),
        kill: (signal) => child.kill(signal),
      };
    },
  };
}

const hasDataFiles = (folder: string): boolean =>
  readdirSync(join(folder, 'warehouse'), { recursive: true, encoding: 'utf8' }).some((name) =>
    name.endsWith('.parquet'),
  );

interface Sent {
  readonly partition?: number;
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  readonly padding?: number;
}

/** Sends records with ids [from, to). */
const send = (
  topic: string,
  from: number,
  to: number,
  { partition = 0, compression = 'none', padding = 0 }: Sent = {},
) => kafka.tool('send', topic, partition, from, to, compression, padding);

/** Sends lines of JSON, each as a record. */
async function sendLines(folder: string, topic: string, partition: number, lines: string): Promise<void> {
  const file = join(folder, 'lines.ndjson');
  writeFileSync(file, lines);
  await kafka.tool('lines', topic, partition, file);
}

const sendValue = (topic: string, value: string | null) =>
  kafka.tool('value', topic, 0, value === null ? 'null' : Buffer.from(value).toString('base64'));

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

it(`killed ${SINK_KILLS} times at random accesses, a sink shows whole batches to who polls it, and each record once`, async () => {
  const topic = 'uplinks';
  await kafka.tool('create', topic, 2);
  await expectKillsSurvived('sink of a topic', {
    ...{ config: LOCAL_CONFIG, isLocal: true, partitions: 2 },
    source: ['--kafka', kafka.brokers.join(','), '--topic', topic, '--until-end'],
    offer: (_, partition, from, to) => send(topic, from, to, { partition }),
  });
});

it(`stopped ${STOPS} times at random accesses while another run writes what is left, a run commits nothing more`, async () => {
  const { folder, ids, added } = await world();
  await kafka.tool('create', 'stopped', 1);
  await expectStopsSurvived('two runs of a topic', {
    ...{ folder, isLocal: true, stops: STOPS, ids, added },
    args: ['iot.uplinks', '--kafka', kafka.brokers.join(','), '--topic', 'stopped', '--until-end'],
    offer: (from, to) => send('stopped', from, to),
  });
});

it.each(betweenWays('appends'))(
  `killed ${BETWEEN} times between the commit of its table and the others', a sink of $name has each record once in all of them`,
  async (way) => {
    const topic = `between-${way.name.replaceAll(' ', '-')}`;
    await kafka.tool('create', topic, 1);
    const place = { name: 'of a topic', config: LOCAL_CONFIG, isLocal: true };
    await expectBetweenSurvived(
      way,
      {
        ...place,
        source: ['--kafka', kafka.brokers.join(','), '--topic', topic, '--until-end'],
        offer: (folder, lines) => sendLines(folder, topic, 0, lines),
        positions: (lines) => [...lines.keys()],
        finish: (library, _, options) =>
          library.sinkKafka(BETWEEN_TABLE, { ...options, brokers: kafka.brokers, topic, until: 'end' }),
      },
      BETWEEN,
    );
  },
);

it('a host that consumes a topic, and is killed before, between and after its checkpoints, has each record in the table once', async () => {
  await kafka.tool('create', 'host', 2);
  const topic = { brokers: kafka.brokers, name: 'host' };
  const offer = (folder: string, partition: number, lines: string) => sendLines(folder, 'host', partition, lines);
  await expectCheckpointsSurvived({ name: 'of a topic', ...ON_FILES, topic, offer }, sinkKills(6));
});

it('a sink outlives its broker, which is killed while it reads, and drains on SIGTERM', async () => {
  const { start, ids } = await world();
  await kafka.tool('create', 'restarts', 2);
  // More than one answer holds.
  await send('restarts', 0, 2_900, { padding: 20_000 });
  const running = start('restarts');
  await running.untilWriting();
  await kafka.kill();
  await running.untilSaid('Asking again');
  await kafka.restart();
  await running.untilSaid('Kafka answers again.');
  await running.until(2_900);
  await kafka.kill();
  await kafka.restart();
  await send('restarts', 2_900, 2_950, { partition: 1 });
  await running.until(2_950);
  running.kill('SIGTERM');
  const { code, stdout } = await running.ended;
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(
      /^iot\.uplinks: wrote 2,950 rows in \d+ commits, snapshot \d+\.\nrestarts: written up to the offsets 0: 2900, 1: 50\.\n$/,
    ),
  ]);
  expect(await ids()).toEqual(range(0, 2_950));
});

it('a sink whose broker does not come back ends at its limit, and at once on SIGTERM', async () => {
  const { start, sink, ids } = await world();
  await kafka.tool('create', 'away', 1);
  await send('away', 0, 30);
  const running = start('away', '--kafka-timeout', '2');
  await running.until(30);
  await send('away', 30, 40);
  await kafka.kill();
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([8, expect.stringMatching(/It was asked for 2\.0 s\. \[KAFKA_UNAVAILABLE\]/)]);
  const waiting = start('away');
  await waiting.untilSaid('Asking again for up to 5 min 0 s.');
  waiting.kill('SIGTERM');
  expect(await waiting.ended).toMatchObject({ code: 0, stdout: 'iot.uplinks: nothing new.\n' });
  await kafka.restart();
  await sink('away');
  expect(await ids()).toEqual(range(0, 40));
});

it('batches of every codec are read, partitions that are added from their beginning, and the group follows', async () => {
  const { start, sink, ids } = await world();
  await kafka.tool('create', 'codecs', 1);
  for (const [index, compression] of (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).entries())
    await send('codecs', index * 100, index * 100 + 100, { compression, padding: 300 });
  const told: { readonly committedRows: bigint; readonly lagRecords: bigint }[] = [];
  const onProgress: SinkKafkaOptions['onProgress'] = (progress) => told.push(progress);
  expect(await sink('codecs', { onProgress })).toMatchObject({ rows: 500n, offsets: new Map([[0, 500n]]) });
  expect(told.length).toBeGreaterThan(2);
  expect(told.map(({ lagRecords }) => lagRecords)).toEqual(told.map(({ committedRows }) => 500n - committedRows));
  expect(await kafka.tool('group', 'codecs', 'moraine.kafka.codecs')).toBe('{0=500}');
  const running = start('codecs', '--group', 'watchers');
  await send('codecs', 500, 520);
  await running.until(520);
  await kafka.tool('partitions', 'codecs', 2);
  await send('codecs', 520, 540, { partition: 1 });
  await running.until(540);
  running.kill('SIGTERM');
  expect((await running.ended).code).toBe(0);
  expect(await ids()).toEqual(range(0, 540));
  expect(await kafka.tool('group', 'codecs', 'watchers')).toBe('{0=520, 1=20}');
  expect(await kafka.tool('group', 'codecs', 'moraine.kafka.codecs')).toBe('{0=500}');
});

it('members that join its group, are given its partitions and leave take no record from a sink, and the offsets follow it again', async () => {
  const { start, sink, ids, snapshots } = await world();
  const [topic, group] = ['shared', 'everybody'];
  await kafka.tool('create', topic, 2);
  await kafka.tool('create', 'beside', 1);
  const offsets = () => kafka.tool('group', topic, group);
  const follows = (expected: string) => expect.poll(offsets, { timeout: 60_000, interval: 200 }).toBe(expected);
  const enter = (member: string, how: string) => kafka.tool('join', topic, group, member, ...how.split(' '));
  const read = async (...members: readonly string[]) =>
    (await Promise.all(members.map((member) => kafka.tool('read', topic, member)))).map(Number);
  const has = (reads: readonly number[], ...members: readonly string[]) =>
    expect.poll(() => read(...members), { timeout: 60_000, interval: 200 }).toEqual(reads);

  await send(topic, 0, 30);
  await send(topic, 30, 50, { partition: 1 });
  const running = start(topic, '--group', group);
  await running.until(50);
  await follows('{0=30, 1=20}');
  // Two rebalances: both partitions are the first one's, then each has one. They begin at the group's offsets, which they leave as they are.
  await enter('first', 'classic reads');
  await enter('second', 'classic reads');
  await send(topic, 50, 80);
  await send(topic, 80, 100, { partition: 1 });
  await running.until(100);
  await running.untilSaid(`The group "${group}" has members, and nobody else may commit its offsets.`);
  await expect.poll(async () => (await read('first', 'second')).sort(), { timeout: 60_000 }).toEqual([20, 30]);
  expect(await offsets()).toBe('{0=30, 1=20}');
  for (const member of ['first', 'second']) await kafka.tool('leave', topic, member);
  // Nothing more was committed.
  await follows('{0=60, 1=40}');
  // By the newer protocol.
  await enter('third', 'consumer reads');
  await send(topic, 100, 110);
  await running.until(110);
  await has([10], 'third');
  expect(await offsets()).toBe('{0=60, 1=40}');
  await kafka.tool('leave', topic, 'third');
  await follows('{0=70, 1=40}');
  // Deleted, as offsets that expire are, and set back: the next commit says where the table is.
  await kafka.tool('forget', topic, group);
  expect(await offsets()).toBe('{}');
  await send(topic, 110, 120, { partition: 1 });
  await running.until(120);
  await follows('{0=70, 1=50}');
  await kafka.tool('reset', topic, group, 0, 5);
  expect(await offsets()).toBe('{0=5, 1=50}');
  await send(topic, 120, 130);
  await running.until(130);
  await follows('{0=80, 1=50}');
  // With commits of its own.
  await enter('fourth', 'classic commits');
  await send(topic, 130, 140, { partition: 1 });
  await running.until(140);
  await has([10], 'fourth');
  await kafka.tool('leave', topic, 'fourth');
  await send(topic, 140, 150);
  await running.until(150);
  await follows('{0=90, 1=60}');

  // A sink of another topic beside it, and a second process of this one, which takes the partitions over.
  await send('beside', 1_000, 1_010);
  expect(await sink('beside', { group })).toMatchObject({ rows: 10n, offsets: new Map([[0, 10n]]) });
  const before = await snapshots();
  const successor = start(topic, '--group', group);
  // Its claim.
  await expect.poll(snapshots, { timeout: 60_000, interval: 200 }).toBe(before + 1);
  await send(topic, 150, 160);
  expect(await running.ended).toMatchObject({ code: 4, stderr: expect.stringContaining('[SINK_FENCED]') as string });
  await successor.until(170);
  await follows('{0=100, 1=60}');
  expect(await kafka.tool('group', 'beside', group)).toBe('{0=10}');
  await enter('fifth', 'classic reads');
  await send(topic, 160, 170, { partition: 1 });
  await successor.until(180);
  successor.kill('SIGTERM');
  expect(await successor.ended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(`The offsets of the group could not be told: The group "${group}" has`) as string,
  });
  await kafka.tool('leave', topic, 'fifth');
  expect(await offsets()).toBe('{0=100, 1=60}');
  const positions = new Map([
    [0, 100n],
    [1, 70n],
  ]);
  for (const isForgotten of [false, true]) {
    if (isForgotten) await kafka.tool('forget', topic, group);
    expect(await sink(topic, { group })).toMatchObject({ rows: 0n, offsets: positions });
    expect(await offsets()).toBe('{0=100, 1=70}');
  }
  expect(await ids()).toEqual([...range(0, 170), ...range(1_000, 1_010)]);
});

it('records of aborted and open transactions are left out, and ranges join over control records', async () => {
  const { sink, ids } = await world();
  await kafka.tool('create', 'transactions', 1);
  const transaction = (from: number, to: number, end: 'commit' | 'abort' | 'open', producer: string) =>
    kafka.tool('transaction', 'transactions', 0, from, to, end, producer);
  await transaction(0, 10, 'commit', 'a');
  await transaction(10, 20, 'abort', 'a');
  await transaction(20, 30, 'abort', 'a');
  await transaction(30, 40, 'commit', 'a');
  // The ends of transactions are written behind their answers.
  const untilCommitted = async (offset: number): Promise<void> => {
    while ((await kafka.tool('end', 'transactions', 0)) !== String(offset)) await sleep(50);
  };
  // Ten records and the end of each.
  await untilCommitted(44);
  expect(await sink('transactions')).toMatchObject({ rows: 20n, offsets: new Map([[0, 44n]]) });
  // Two at once: what lies behind an open one waits for it.
  await transaction(40, 50, 'open', 'a');
  await transaction(50, 60, 'commit', 'b');
  await send('transactions', 60, 70);
  expect(await sink('transactions')).toMatchObject({ rows: 0n, snapshotId: null, offsets: new Map([[0, 44n]]) });
  await kafka.tool('finish', 'transactions', 'abort', 'a');
  await untilCommitted(76);
  expect(await sink('transactions', { batchSize: 7 })).toMatchObject({ rows: 20n, offsets: new Map([[0, 76n]]) });
  // The group follows commits without a record, too.
  await transaction(70, 80, 'abort', 'a');
  await untilCommitted(87);
  expect(await sink('transactions')).toMatchObject({ rows: 0n, offsets: new Map([[0, 87n]]) });
  expect(await kafka.tool('group', 'transactions', 'moraine.kafka.transactions')).toBe('{0=87}');
  expect(await ids()).toEqual([...range(0, 10), ...range(30, 40), ...range(50, 70)]);
});

it('a topic that was made anew stops the sink with both positions, at its start and while it runs', async () => {
  const { sink, start, ids } = await world();
  await kafka.tool('create', 'anew', 1);
  await send('anew', 0, 20);
  const running = start('anew');
  await running.until(20);
  await kafka.tool('delete', 'anew');
  await kafka.tool('create', 'anew', 1);
  await send('anew', 20, 50);
  const changed =
    /partition 0 of topic anew with id \S+ of cluster \S+ up to offset 20 .*now anew has the id .*made anew/;
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([4, expect.stringMatching(changed)]);
  await expect(sink('anew')).rejects.toThrow(changed);
  expect(await ids()).toEqual(range(0, 20));
  expect(await sink('anew', { name: 'other' })).toMatchObject({ rows: 30n });
  expect(await ids()).toEqual(range(0, 50));
});

it('records that were deleted unread, by retention too, and a log that was cut stop the sink with both positions', async () => {
  const { sink, ids } = await world();
  const begin = async (topic: string) => {
    await kafka.tool('create', topic, 1);
    await send(topic, 0, 20);
    expect(await sink(topic)).toMatchObject({ rows: 20n });
    await send(topic, 20, 60);
  };
  await begin('deleted');
  await kafka.tool('delete-records', 'deleted', 0, 30);
  await expect(sink('deleted')).rejects.toThrow(/deleted-0 up to offset 20 .* and the log begins at offset 30: /);
  await begin('expired');
  await kafka.tool('config', 'expired', 'retention.ms', '1');
  while ((await kafka.tool('start', 'expired', 0)) !== '60') await sleep(200);
  await send('expired', 60, 61);
  await expect(sink('expired')).rejects.toThrow(/expired-0 up to offset 20 .* and the log begins at offset 6\d: /);
  // A broker that has lost a disk, and those that had copies.
  await begin('cut');
  await begin('rewritten');
  await kafka.kill();
  for (const topic of ['cut', 'rewritten']) rmSync(join(kafkaFolder, 'logs', `${topic}-0`), { recursive: true });
  await kafka.restart();
  await send('cut', 60, 65);
  await expect(sink('cut')).rejects.toThrow(/cut-0 up to offset 20 \(leader epoch 0\), and the log ends at offset 5: /);
  await send('rewritten', 60, 100);
  await expect(sink('rewritten')).rejects.toThrow(/rewritten-0 up to offset 20 .* that epoch ends at offset 0: /);
  expect(await ids()).toEqual(
    [...range(0, 20), ...range(0, 20), ...range(0, 20), ...range(0, 20)].sort((a, b) => a - b),
  );
});

it('records that are deleted unread, and a log that is cut, stop a sink with both positions while it runs, too', {
  timeout: 300_000,
}, async () => {
  const { start, ids } = await world();
  /** Stops a sink that has read 20 records; it goes on when the rest is done. */
  const stopped = async (topic: string, first: number, rest: () => Promise<unknown>) => {
    await kafka.tool('create', topic, 1);
    await send(topic, first, first + 20);
    const running = start(topic);
    await running.until(first + 20);
    running.kill('SIGSTOP');
    // What it has asked for by then is answered, without records.
    await sleep(2_000);
    await send(topic, first + 20, first + 60);
    await rest();
    running.kill('SIGCONT');
    return await running.ended;
  };
  const deleted = await stopped('deleted-meanwhile', 0, () => kafka.tool('delete-records', 'deleted-meanwhile', 0, 30));
  expect(deleted.stderr).toMatch(/deleted-meanwhile-0 up to offset 20 .* and the log begins at offset 30: /);
  const cut = await stopped('cut-meanwhile', 20, async () => {
    await kafka.kill();
    rmSync(join(kafkaFolder, 'logs', 'cut-meanwhile-0'), { recursive: true });
    await kafka.restart();
    await send('cut-meanwhile', 80, 85);
  });
  expect(cut.stderr).toMatch(/cut-meanwhile-0 up to offset 20 .* and the log ends at offset 5: /);
  expect([deleted.code, cut.code]).toEqual([4, 4]);
  expect(await ids()).toEqual(range(0, 40));
});

it('records of partitions that a sink has seen, and of those added since, are missed if they go unread', async () => {
  const { sink, start, ids } = await world();
  const unread = (topic: string, from: number, now: number) =>
    new RegExp(`${topic} up to offset ${from} \\(leader epoch -1\\), and the log begins at offset ${now}: `);
  // Its log begins at 5 when it is seen first, and has nothing.
  await kafka.tool('create', 'seen', 1);
  await send('seen', 0, 5);
  await kafka.tool('delete-records', 'seen', 0, 5);
  expect(await sink('seen')).toMatchObject({ rows: 0n, offsets: new Map([[0, 5n]]) });
  await send('seen', 5, 30);
  await kafka.tool('delete-records', 'seen', 0, 12);
  await expect(sink('seen')).rejects.toThrow(unread('seen-0', 5, 12));
  // A sink of another name has never seen it.
  expect(await sink('seen', { name: 'other' })).toMatchObject({ rows: 18n, offsets: new Map([[0, 30n]]) });
  // Read, and killed before the first batch.
  await kafka.tool('create', 'buffered', 1);
  await send('buffered', 100, 120);
  const running = start('buffered', '--batch-size', '1000', '--batch-interval', '3600', '--json');
  await running.untilTold('"bufferedRecords":20');
  running.kill('SIGKILL');
  await running.ended;
  await kafka.tool('delete-records', 'buffered', 0, 20);
  await expect(sink('buffered')).rejects.toThrow(unread('buffered-0', 0, 20));
  // Nobody was there when it came and went.
  await kafka.tool('create', 'added', 1);
  await send('added', 200, 203);
  await sink('added');
  await kafka.tool('partitions', 'added', 2);
  await send('added', 203, 210, { partition: 1 });
  await kafka.tool('delete-records', 'added', 1, 4);
  await expect(sink('added')).rejects.toThrow(unread('added-1', 0, 4));
  expect(await ids()).toEqual([...range(12, 30), ...range(200, 203)]);
});

it('a record that is no row stops the sink at its offset, or is left out and counted', async () => {
  const { sink, start, ids, folder } = await world();
  await kafka.tool('create', 'bad', 1);
  await send('bad', 0, 10);
  await sendValue('bad', '{\r\n  "id": 10,\n  "device": "line\\nbreak"\n}\n');
  const bad: readonly (string | null)[] = [
    null,
    '',
    ' \n',
    '[1]',
    '{"id": 1,\n"device": "a\nb"}',
    '{"id": 1}\n{"id": 2}',
  ];
  for (const value of bad) await sendValue('bad', value);
  await sendValue('bad', '{"id": 11, "other": 1}');
  await send('bad', 12, 15);
  // Without an end, too: the failure is not left to the next record.
  const { code, stderr } = await start('bad').ended;
  expect([code, stderr]).toEqual([2, expect.stringContaining('bad-0, offset 11: no value is no JSON object.')]);
  expect(await ids()).toEqual([]);
  const result = await sink('bad', { badRecords: 'drop', extraFields: 'ignore' });
  expect(result).toMatchObject({ rows: 15n, rejected: { NOT_AN_OBJECT: 4, MALFORMED_JSON: 2 } });
  expect(result.offsets).toEqual(new Map([[0, 21n]]));
  expect(await ids()).toEqual(range(0, 15));
  const scan = async (...args: string[]) => jsonLines(await moraineOk(['table', 'scan', ...args], { cwd: folder }));
  expect(await scan('iot.uplinks', '--where', 'id = 10')).toEqual([{ id: 10, device: 'line\nbreak' }]);
  // Dead letters have the values as they came.
  const kept = await sink('bad', { deadLetters: 'iot.dead', extraFields: 'ignore', name: 'kept' });
  expect(kept).toMatchObject({ rows: 15n, rejected: { NOT_AN_OBJECT: 4, MALFORMED_JSON: 2 } });
  const letters = (await scan('iot.dead', '--columns', 'position,raw')) as { position: number; raw: string }[];
  letters.sort((a, b) => a.position - b.position);
  expect(letters.map(({ position, raw }) => [position, Buffer.from(raw, 'hex').toString()])).toEqual(
    bad.map((value, index) => [11 + index, value ?? '']),
  );
});

it('lines of JSON tell the progress after commits, and records below others of their keys are counted', async () => {
  const { start, folder } = await world();
  await kafka.tool('create', 'keyed', 1);
  const record = (id: number, device: string, more: object = {}) =>
    sendValue('keyed', JSON.stringify({ id, device, ...more }));
  await record(1, 'b');
  await record(1, 'a');
  await record(1, 'c');
  const running = start('keyed', '--upsert', 'id', '--order', 'device', '--evolve', '--json');
  await running.until(1);
  // Below the row that the table has.
  await record(1, 'b');
  await record(2, 'a', { fw: '1.2' });
  await running.until(2);
  running.kill('SIGTERM');
  const { code, stdout } = await running.ended;
  const told = jsonLines(stdout);
  expect(code).toBe(0);
  expect(told.pop()).toMatchObject({
    ...{ topic: 'keyed', rows: 2, superseded: 3, offsets: { 0: 5 }, isInterrupted: true, delivery: 'exactly-once' },
  });
  // When a record is sent beside a commit, the line after that commit may count it already.
  const progress = told.map((line) => (line as { readonly progress: SinkKafkaProgress }).progress);
  expect([...new Set(progress.map(({ committedRows }) => committedRows))]).toEqual([1, 2]);
  expect(progress.at(-1)).toMatchObject({ committedRows: 2, bufferedRecords: 0, pendingBatches: 0, lagRecords: 0 });
  // The field became a column.
  expect(jsonLines(await moraineOk(['table', 'scan', 'iot.uplinks', '--where', 'id = 2'], { cwd: folder }))).toEqual([
    { id: 2, device: 'a', fw: '1.2' },
  ]);
});

it('TLS and SASL are used as asked, and refusals say why without the password', async () => {
  const { folder, ids } = await world();
  await kafka.tool('create', 'secure', 1);
  await send('secure', 0, 30);
  const run = (password: string, ...options: string[]) =>
    moraine(
      ['sink', 'run', 'iot.uplinks', '--kafka', kafka.secureBroker, '--topic', 'secure', '--until-end', ...options],
      {
        cwd: folder,
        env: { MORAINE_KAFKA_USERNAME: KAFKA_USER.username, MORAINE_KAFKA_PASSWORD: password },
      },
    );
  const { password } = KAFKA_USER;
  const plain = await run(password, '--tls-ca', kafka.authority, '--sasl', 'PLAIN');
  expect([plain.code, plain.stdout]).toEqual([0, expect.stringContaining('wrote 30 rows')]);
  await send('secure', 30, 35);
  const scram = await run(password, '--tls-ca', kafka.authority, '--sasl', 'SCRAM-SHA-256', '--json');
  expect(JSON.parse(scram.stdout)).toMatchObject({
    table: 'iot.uplinks',
    topic: 'secure',
    rows: 5,
    offsets: { 0: 35 },
  });
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const wrong = await run('wrong-password', '--tls-ca', kafka.authority, '--sasl', mechanism);
    expect([wrong.code, wrong.stderr]).toEqual([5, expect.stringContaining('UNAUTHENTICATED')]);
    expect(wrong.stderr).not.toContain('wrong-password');
  }
  const unknown = await run(password, '--tls', '--sasl', 'PLAIN');
  expect([unknown.code, unknown.stderr]).toEqual([5, expect.stringMatching(/certificate.* \[UNAUTHENTICATED\]/)]);
  expect(await ids()).toEqual(range(0, 35));
});

it('what does not go together is refused before anything is read', async () => {
  const { folder, sink } = await world();
  const refused = async (...options: string[]): Promise<string> => {
    const { code, stderr } = await moraine(['sink', 'run', 'iot.uplinks', ...options], { cwd: folder });
    expect(code).toBe(2);
    return stderr;
  };
  const given = ['--kafka', kafka.brokers.join(',')];
  expect(await refused()).toContain('Name files, or a topic with --kafka and --topic.');
  expect(await refused(...given)).toContain('--kafka goes with --topic.');
  expect(await refused(...given, '--topic', 't', 'a.ndjson')).toContain('leave out the files, or --kafka');
  expect(await refused(...given, '--topic', 't', '--create')).toContain('create the table first');
  expect(await refused('a.ndjson', '--topic', 't')).toContain('--topic goes with --kafka.');
  expect(await refused(...given, '--topic', 't', '--sasl', 'PLAIN')).toContain('MORAINE_KAFKA_USERNAME');
  expect(await refused('--kafka', 'http://a', '--topic', 't')).toContain('The broker "http://a" is not HOST:PORT.');
  expect(await refused(...given, '--topic', 'nowhere')).toContain('The topic "nowhere" does not exist.');
  await kafka.tool('create', 'there', 1);
  const opened = await createMoraine({ cwd: folder });
  const missing = opened.sinkKafka('iot.missing', { brokers: kafka.brokers, topic: 'there', until: 'end' });
  await expect(missing).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' });
  await opened.close();
  expect(await sink('there')).toMatchObject({ rows: 0n, offsets: new Map([[0, 0n]]) });
});
