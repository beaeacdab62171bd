/** examples/sink/README.md is run as it stands. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { moraineOk } from '../support/cli.js';
import { runPage } from '../support/documented-page.js';
import { kafkaOfFile } from '../support/kafka-of-file.js';
import type { KafkaServer } from '../support/kafka-server.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

let kafka: KafkaServer;
kafkaOfFile((server) => (kafka = server));

it('examples/sink has each record of its files and its topic once, in rows or among the dead letters', {
  timeout: 300_000,
}, async () => {
  const cwd = temporaryFolder();
  cpSync(join(projectRoot, 'examples/sink'), cwd, { recursive: true });
  for (const made of ['.moraine', 'warehouse']) rmSync(join(cwd, made), { recursive: true, force: true }); // a reader's own run
  const commands = new Map([
    ['kafka-topics.sh', kafka.command('TopicCommand')],
    ['kafka-console-producer.sh', kafka.command('ConsoleProducer')],
    ['localhost:9092', kafka.brokers[0] ?? ''],
  ]);
  await runPage('examples/sink/README.md', cwd, commands);
  const rows = async (table: string, columns: string) =>
    (await moraineOk(['table', 'scan', table, '--columns', columns], { cwd })).trim().split('\n').sort();
  expect(await rows('iot.uplinks', 'device_id,at')).toEqual([
    '{"device_id":"greenhouse-1","at":"2026-03-01T10:00:00.000000Z"}',
    '{"device_id":"greenhouse-1","at":"2026-03-02T11:00:00.000000Z"}',
    '{"device_id":"greenhouse-2","at":"2026-03-01T10:01:00.000000Z"}',
    '{"device_id":"greenhouse-2","at":"2026-03-01T11:01:00.000000Z"}',
    '{"device_id":"greenhouse-2","at":"2026-03-02T11:01:00.000000Z"}',
    '{"device_id":"greenhouse-2","at":"2026-03-03T11:01:00.000000Z"}',
    '{"device_id":"kühlraum","at":"2026-03-01T10:02:00.000000Z"}',
    '{"device_id":"kühlraum","at":"2026-03-02T10:00:00.000000Z"}',
    '{"device_id":"kühlraum","at":"2026-03-03T10:00:00.000000Z"}',
  ]);
  expect(await rows('iot.devices', 'device_id,at,temperature,gateway')).toEqual([
    '{"device_id":"greenhouse-1","at":"2026-03-02T11:00:00.000000Z","temperature":20.75,"gateway":"west"}',
    '{"device_id":"greenhouse-2","at":"2026-03-02T11:01:00.000000Z","temperature":22.5,"gateway":"süd"}',
    '{"device_id":"kühlraum","at":"2026-03-02T10:00:00.000000Z","temperature":3.75,"gateway":"nord"}',
  ]);
});
