/** An ingest of a Kafka topic, on a real broker and real worker processes: each record in the table once, and never a silent gap. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { jsonLines } from '../support/cli.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { ingestProject } from '../support/ingest-project.js';
import { kafkaOfFile } from '../support/kafka-of-file.js';
import { KAFKA_USER, type KafkaServer } from '../support/kafka-server.js';
import { upTo } from '../support/up-to.js';

let kafka: KafkaServer;
kafkaOfFile((server) => (kafka = server));
// A test that failed may have left it down.
afterEach(() => kafka.restart());

/** Sends records with ids [from, to). */
const send = (topic: string, from: number, to: number, partition = 0) =>
  kafka.tool('send', topic, partition, from, to, 'none', 0);

const project = (topic: string) =>
  ingestProject(
    `ingest/iot.uplinks/kafka.${topic}`,
    `  ingestKafka:
    open: { brokers: ["${kafka.brokers[0]}"] }
    secure:
      brokers: ["${kafka.secureBroker}"]
      tls: { ca: "${kafka.authority}" }
      sasl: { mechanism: SCRAM-SHA-256, username: ${KAFKA_USER.username}, password: "\${KAFKA_PASSWORD}" }
`,
    { KAFKA_PASSWORD: KAFKA_USER.password },
  );

const from = (cluster: string, topic: string, ...options: string[]): string[] => [
  ...['--kafka', cluster, '--topic', topic, ...options],
];

test('an ingest of a topic is paused, resumed, changed and drained, and its credentials are in no history', async () => {
  const topic = 'uplinks';
  const id = `ingest/iot.uplinks/kafka.${topic}`;
  await kafka.tool('create', topic, 2);
  const { folder, ok, run, ids, untilRows, startWorker, status, untilStep } = await project(topic);
  await startWorker();
  await send(topic, 0, 100);
  const start = ['ingest', 'start', 'iot.uplinks', ...from('secure', topic, '--batch-interval', '1')];
  const started = await ok(...start, '--dead-letters', 'iot.dead', '--group', 'watchers', '--json');
  const { workflowId } = JSON.parse(started) as { readonly workflowId: string };
  expect(workflowId).toMatch(new RegExp(`^${id}@`));
  expect((await run(...start)).stderr).toContain('is being written already');
  await untilRows(100);
  expect(await status()).toMatchObject({
    ...{ step: 'running', name: `kafka.${topic}`, source: { kind: 'kafka', cluster: 'secure', topic } },
  });

  await ok('ingest', 'pause', id);
  // Its attempt has ended, with what it had read.
  while ((await status()).rows !== '100') await sleep(200);
  await untilStep('paused');
  expect(await kafka.tool('group', topic, 'watchers')).toBe('{0=100, 1=0}');
  await send(topic, 100, 150, 1);
  await sleep(2_500);
  expect(await ids()).toEqual(upTo(100));
  await ok('ingest', 'resume', id);
  await untilRows(150);

  expect(await ok('ingest', 'batch', id, '--batch-size', '20')).toContain('now commits every 20 records');
  await kafka.tool('value', topic, 0, Buffer.from('{"id":true}').toString('base64'));
  await send(topic, 150, 250);
  await untilRows(250);

  // Its broker is away for a while.
  await kafka.kill();
  await sleep(3_000);
  await kafka.restart();
  await send(topic, 250, 300, 1);
  await ok('ingest', 'drain', id);
  await untilStep('done');
  expect(await ids()).toEqual(upTo(300));
  expect(await ok('ingest', 'status', id)).toContain(`topic    ${topic} of Kafka cluster secure\n`);
  expect((await status()).rows).toBe('300');
  expect(await kafka.tool('group', topic, 'watchers')).toBe('{0=201, 1=100}');
  const dead = jsonLines(await ok('table', 'scan', 'iot.dead', '--columns', 'reason,position'));
  expect(dead).toEqual([{ reason: 'WRONG_TYPE', position: 100 }]);
  await ok('workflow', 'export', workflowId, '--out', 'history.json');
  const history = readFileSync(join(folder, 'history.json'), 'utf8');
  const texts = [...history.matchAll(/"data": ?"([^"]*)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64').toString(),
  );
  expect(texts.some((text) => text.includes('"cluster":"secure"'))).toBe(true);
  for (const text of [history, ...texts]) {
    expect(text).not.toContain(KAFKA_USER.password);
    expect(text).not.toContain(kafka.secureBroker);
  }
});

// As with files, in `ingest.test.ts`.
if (IS_LONG_FORM)
  test('the worker is killed in mid batch or ended, and the next one goes on behind what the table has', async () => {
    const topic = 'lives';
    await kafka.tool('create', topic, 1);
    const { ok, untilBatches, startWorker, ids, untilStep } = await project(topic);
    let worker = await startWorker();
    const batches = ['--batch-size', '50', '--batch-interval', '3600'];
    await ok('ingest', 'start', 'iot.uplinks', ...from('open', topic, ...batches));
    let written = 0;
    const write = async (count: number): Promise<void> => {
      await send(topic, written, written + count);
      written += count;
    };
    for (let life = 0; life < 3; life += 1) {
      await write(120);
      // What makes no whole batch waits in the memory of the worker.
      await untilBatches(written, 50);
      worker.kill('SIGKILL');
      await worker.ended;
      worker = await startWorker();
      await sleep(life * 400);
    }
    await write(70);
    await untilBatches(written, 50);
    worker.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ code: 0 });
    // What was read is committed before it ends.
    expect(await ids()).toEqual(upTo(written));
    await write(10);
    await startWorker();
    await ok('ingest', 'drain', `ingest/iot.uplinks/kafka.${topic}`);
    await untilStep('done');
    expect(await ids()).toEqual(upTo(written));
  });

test('a topic that was made anew, one that is missing and a cluster that the worker has not fail the run, with the reason', async () => {
  const topic = 'anew';
  await kafka.tool('create', topic, 1);
  await send(topic, 0, 20);
  const { ok, run, ids, untilRows, startWorker, failureOf } = await project(topic);
  await startWorker();
  await ok('ingest', 'start', 'iot.uplinks', ...from('open', topic, '--batch-interval', '1'));
  await untilRows(20);
  await kafka.tool('delete', topic);
  await kafka.tool('create', topic, 1);
  await send(topic, 20, 50);
  const changed =
    /partition 0 of topic anew with id \S+ of cluster \S+ up to offset 20 .*now anew has the id .*made anew.*SINK_SOURCE_CHANGED/s;
  const shown = await run('run', 'show', `ingest/iot.uplinks/kafka.${topic}`, '--watch');
  expect(`${shown.stdout}${shown.stderr}`).toMatch(changed);
  expect(await failureOf(...from('open', topic))).toMatch(changed);
  expect(await ids()).toEqual(upTo(20));
  await ok('ingest', 'start', 'iot.uplinks', ...from('open', topic, '--name', 'kafka.anew-2', '--batch-interval', '1'));
  await untilRows(50);
  await ok('ingest', 'drain', 'ingest/iot.uplinks/kafka.anew-2');

  expect(await failureOf(...from('open', 'nowhere'))).toContain('The topic "nowhere" does not exist.');
  const unknown = await failureOf(...from('prod', topic));
  expect(unknown).toContain('The Kafka cluster "prod" is none that this worker may read');
  expect(unknown).toContain('It has open, secure.');
  const refused = async (...source: string[]): Promise<string> => {
    const { code, stderr } = await run('ingest', 'start', 'iot.uplinks', ...source);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await refused()).toContain('Name files, or a topic with --kafka and --topic.');
  expect(await refused('--kafka', 'open')).toContain('--kafka goes with --topic.');
  expect(await refused('--topic', topic, 'a.ndjson')).toContain('--topic goes with --kafka.');
  expect(await refused(...from('open', topic), 'a.ndjson')).toContain('leave out the files, or --kafka');
});
