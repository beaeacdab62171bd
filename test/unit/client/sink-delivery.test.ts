/** What is promised of the records of a sink is in its results, and in their types. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, expect, expectTypeOf, it } from 'vitest';
import {
  createMoraine,
  type Delivery,
  type DeliveryOf,
  type Moraine,
  parseSchema,
  type RecordStream,
  type SinkCommit,
  type SinkFilesResult,
  type SinkInput,
  type SinkKafkaResult,
} from '../../../index.js';
import { failureOf } from '../../support/error-code.js';
import { lastingFolder } from '../../support/temp-folder.js';

const lasting = lastingFolder();
const folder = lasting.path;
const file = join(folder, 'a.ndjson');
const other = join(folder, 'other');
let moraine: Moraine;
beforeAll(async () => {
  const catalogs = {
    local: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') },
    second: { uri: join(folder, 'second.db'), warehouse: join(folder, 'second') },
  };
  moraine = await createMoraine({ cwd: folder, config: { catalog: 'local', catalogs, engine: { threads: 1 } } });
  const fields = [{ id: 1, name: 'id', required: true, type: 'long' }];
  await moraine.createTable('iot.t', { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
  writeFileSync(file, '{"id":1}\n');
});
afterAll(async () => {
  await moraine.close();
  lasting.remove();
});

const stream = (text: string): RecordStream => ({ name: 'stream', stream: Readable.from([Buffer.from(text)]) });

it('files are delivered exactly once, streams at least once, and a run with both at least once', async () => {
  const commits: SinkCommit[] = [];
  const onCommit = (commit: SinkCommit) => void commits.push(commit);
  const ofFile = await moraine.sinkFiles('iot.t', [file], { onCommit });
  const ofStream = await moraine.sinkFiles('iot.t', [stream('{"id":2}\n')], { onCommit });
  writeFileSync(file, '{"id":1}\n{"id":3}\n');
  const ofBoth = await moraine.sinkFiles('iot.t', [file, stream('{"id":4}\n')], { onCommit });
  expect([ofFile, ofStream, ofBoth].map(({ rows, delivery }) => [rows, delivery])).toEqual([
    [1n, 'exactly-once'],
    [1n, 'at-least-once'],
    [2n, 'at-least-once'],
  ]);
  expect(commits.map(({ delivery }) => delivery)).toEqual(['exactly-once', 'at-least-once', 'at-least-once']);
  expectTypeOf(ofFile.delivery).toEqualTypeOf<'exactly-once'>();
  expectTypeOf(ofStream.delivery).toEqualTypeOf<'at-least-once'>();
  expectTypeOf(ofBoth.delivery).toEqualTypeOf<'at-least-once'>();
});

it('a stream that goes on is committed with each interval, and what was read of it when the signal comes', async () => {
  const [source, controller, rows] = [new PassThrough(), new AbortController(), [] as bigint[]];
  const [onCommit, signal] = [(commit: SinkCommit) => void rows.push(commit.rows), controller.signal];
  const options = { onCommit, signal, batchIntervalMs: 50 };
  source.write('{"id":10}\n{"id":11}\n{"id"');
  const run = moraine.sinkFiles('iot.t', [{ name: 'stream', stream: source }], options);
  await expect.poll(() => rows, { interval: 20, timeout: 60_000 }).toEqual([2n]);
  source.write(':12}\n{"id":13}');
  controller.abort();
  expect(await run).toMatchObject({ rows: 4n, isInterrupted: true });
  expect(source.destroyed).toBe(true);
});

it('a stream that gives nothing more is left once a record of it has ended the sink', async () => {
  const source = new PassThrough();
  source.write('{"id":"x"}\n');
  const run = moraine.sinkFiles('iot.t', [{ name: 'stream', stream: source }], { batchIntervalMs: 50 });
  expect((await failureOf(run)).message).toContain('stream, byte 0: column "id": "x" does not fit long exactly');
  expect(source.destroyed).toBe(true);
});

it('a stream that gives nothing more hears what keeps its records from being committed', async () => {
  const [source, controller, notices] = [new PassThrough(), new AbortController(), [] as string[]];
  const options = {
    batchIntervalMs: 50,
    signal: controller.signal,
    onNotice: (text: string) => void notices.push(text),
  };
  const stalled = join(folder, 'warehouse', 'iot', 't', 'data');
  mkdirSync(stalled, { recursive: true });
  renameSync(stalled, `${stalled}-away`);
  writeFileSync(stalled, '');
  source.write('{"id":30}\n');
  const run = moraine.sinkFiles('iot.t', [{ name: 'stream', stream: source }], options);
  await expect.poll(() => notices, { interval: 20, timeout: 60_000 }).toHaveLength(1);
  expect(notices[0]).toMatch(/\[STORAGE_UNAVAILABLE\] It is tried again when the batch interval has passed\.$/);
  rmSync(stalled);
  renameSync(`${stalled}-away`, stalled);
  source.end();
  expect((await run).rows).toBe(1n);
});

it('a stream that gives nothing more is left once the function throws that hears of what keeps its records', async () => {
  const source = new PassThrough();
  const onNotice = (text: string) => {
    throw new RangeError(text);
  };
  const stalled = join(folder, 'warehouse', 'iot', 't', 'data');
  renameSync(stalled, `${stalled}-away`);
  writeFileSync(stalled, '');
  source.write('{"id":31}\n');
  const run = moraine.sinkFiles('iot.t', [{ name: 'stream', stream: source }], { batchIntervalMs: 50, onNotice });
  await expect(run).rejects.toThrow(/\[STORAGE_UNAVAILABLE\] It is tried again/);
  expect(source.destroyed).toBe(true);
  rmSync(stalled);
  renameSync(`${stalled}-away`, stalled);
});

it('a file whose last line gets a carriage return and a newline later is read on', async () => {
  const crlf = join(folder, 'crlf.ndjson');
  const rows: bigint[] = [];
  for (const text of ['{"id":21}', '\r\n{"id":22}', '\r\n{"id":23}\r\n']) {
    appendFileSync(crlf, text);
    rows.push((await moraine.sinkFiles('iot.t', [crlf])).rows);
  }
  expect(rows).toEqual([1n, 1n, 1n]);
});

it.each([
  [() => mkdirSync(other), 'is a folder: name the files in it.'],
  [
    () => execFileSync('mkfifo', [other]),
    'is a pipe or a device, whose records have no positions: give it as standard input (`-`), in a program as a stream.',
  ],
])('what is no file is refused before the sink is claimed (%#)', async (make, message) => {
  make();
  const before = readdirSync(folder, { recursive: true });
  for (const follow of [false, true]) {
    const error = await failureOf(moraine.sinkFiles('iot.t', [file, other], { follow, name: 'other' }));
    expect([error.code, error.message]).toEqual(['INVALID_ARGUMENT', `${other} ${message}`]);
  }
  expect(readdirSync(folder, { recursive: true })).toEqual(before);
  rmSync(other, { recursive: true });
});

it('the types of results say it where the inputs are known', () => {
  expectTypeOf<DeliveryOf<readonly string[]>>().toEqualTypeOf<'exactly-once'>();
  expectTypeOf<DeliveryOf<readonly RecordStream[]>>().toEqualTypeOf<'at-least-once'>();
  expectTypeOf<DeliveryOf<readonly SinkInput[]>>().toEqualTypeOf<Delivery>();
  expectTypeOf<SinkFilesResult['delivery']>().toEqualTypeOf<Delivery>();
  expectTypeOf<SinkKafkaResult['delivery']>().toEqualTypeOf<'exactly-once'>();
});

it('a table is not made where its columns would not be those of a file, and dead letters are in the catalog of the table', async () => {
  const refusal = async (...args: Parameters<Moraine['sinkFiles']>) => {
    const { code, message } = await failureOf(moraine.sinkFiles(...args));
    return [code, message];
  };
  const fields = { id: 'device.id' };
  expect(await refusal('iot.made', [file], { create: true, fields })).toEqual([
    'INVALID_ARGUMENT',
    'A table is created with the fields of a file as its columns. Create it before, where fields are mapped to columns.',
  ]);
  expect(await refusal('iot.made', [stream('{"id":1}\n')], { create: true })).toEqual([
    'INVALID_ARGUMENT',
    'A table is created with the columns of a file, and none is given.',
  ]);
  expect((await moraine.tables()).filter(({ name }) => name.includes('made'))).toEqual([]);
  const { snapshots } = (await moraine.project.loadTable('iot.t')).metadata;
  expect(await refusal('iot.t', [file], { deadLetters: 'second/iot.dead' })).toEqual([
    'INVALID_ARGUMENT',
    "The dead-letter table second/iot.dead must be in the catalog of the sink's table.",
  ]);
  expect((await moraine.project.loadTable('iot.t')).metadata.snapshots.length).toBe(snapshots.length);
});
