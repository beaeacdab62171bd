/** The programs of docs/sink.md are compiled and run as they stand, but for the address of the brokers. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { jsonLines, moraineOk } from '../support/cli.js';
import { codeBlocks } from '../support/code-blocks.js';
import { installMoraine } from '../support/installed-package.js';
import { kafkaOfFile } from '../support/kafka-of-file.js';
import type { KafkaServer } from '../support/kafka-server.js';
import { projectRoot } from '../support/paths.js';
import { PROGRAM_LIMIT } from '../support/program-limit.js';
import { temporaryFolder } from '../support/temp-folder.js';

let kafka: KafkaServer;
kafkaOfFile((server) => (kafka = server));

test('programs of docs/sink.md write with a configuration, with a project and from a topic, each record once', async () => {
  const cwd = temporaryFolder();
  installMoraine(cwd);
  writeFileSync(join(cwd, 'moraine.yaml'), 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n');
  const programs = codeBlocks(readFileSync(join(projectRoot, 'docs/sink.md'), 'utf8')).filter(
    ({ language }) => language === 'ts',
  );
  const names = programs.map(({ title = '' }) => title);
  expect(names).toEqual(['sink.mts', 'own-table.mts', 'topic.mts']);
  for (const { title = '', content } of programs)
    writeFileSync(join(cwd, title), content.replace('localhost:9092', kafka.brokers[0] ?? ''));
  const compiler = join(projectRoot, 'node_modules/typescript/bin/tsc');
  const flags = ['--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node', '--skipLibCheck'];
  const compiled = spawnSync(process.execPath, [compiler, ...flags, ...names], {
    cwd,
    encoding: 'utf8',
    ...PROGRAM_LIMIT,
  });
  expect(compiled.stdout).toBe('');

  const rows = async () => {
    const scanned = await moraineOk(['table', 'scan', 'iot.uplinks', '--columns', 'device_id'], { cwd });
    return (jsonLines(scanned) as { readonly device_id: string }[]).map(({ device_id: id }) => id).sort();
  };
  // Run again, each goes on where the table says.
  for (const program of ['sink.mjs', 'own-table.mjs', 'sink.mjs']) {
    const { status, stderr } = spawnSync(process.execPath, [program], { cwd, encoding: 'utf8', ...PROGRAM_LIMIT });
    expect([status, stderr], program).toEqual([0, '']);
  }
  expect(await rows()).toEqual(['a1', 'a1', 'b2']);

  await kafka.tool('create', 'uplinks', 1);
  const send = (id: unknown) => {
    const message = JSON.stringify({ uplink: { device: { id }, at: '2026-03-01T10:00:00Z' } });
    return kafka.tool('value', 'uplinks', 0, Buffer.from(message).toString('base64'));
  };
  await send('c3');
  await send(4);
  const child = spawn(process.execPath, ['topic.mjs'], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  while (!(await rows()).includes('c3')) {
    expect(child.exitCode).toBe(null);
    await sleep(500);
  }
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(await rows()).toEqual(['a1', 'a1', 'b2', 'c3']);
  const dead = jsonLines(await moraineOk(['table', 'scan', 'iot.dead_letters', '--columns', 'reason'], { cwd }));
  expect(dead).toEqual([{ reason: 'WRONG_TYPE' }]);
});
