/** A commit that a sink makes by itself, and that fails for a while: who reads for the sink is told, and it is made in the end. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import { CommitWatch } from '../../../sink/write-records.js';
import { openSinkEngine, SinkWorld, span } from '../../support/sink-world.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const full = (name: string) => new MoraineError('STORAGE_UNAVAILABLE', `The disk is full: /${name}.`);

test('a commit that failed behind the writers is told until it is made', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ batchSize: 5 });
  expect(sink.blockedBy).toBeUndefined();
  const error = full('a');
  world.faults.push(() => Promise.reject(error));
  await sink.writer(0).writeBatch(...span('p', 0, 5));
  await expect.poll(() => sink.blockedBy, { interval: 5, timeout: 60_000 }).toBe(error);
  expect([sink.failure, await world.ids()]).toEqual([undefined, []]);
  await sink.flush();
  expect(sink.blockedBy).toBeUndefined();
  expect(await world.ids()).toEqual([0, 1, 2, 3, 4]);
  await sink.close();
});

test('what records of a host throw behind the writers ends the sink: it is not tried again, and every later call throws it', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ batchSize: 5, batchIntervalMs: 20 });
  const error = new TypeError('The record has no field.');
  let opened = 0;
  const open = () => {
    opened += 1;
    return Promise.reject(error);
  };
  await sink.writer(0).writeBatch({ count: 5, bytes: 50, open }, { partition: 'p', from: 0n, to: 5n });
  await expect.poll(() => sink.failure, { interval: 5, timeout: 60_000 }).toBe(error);
  await expect(sink.writer(0).writeBatch(...span('p', 5, 10))).rejects.toBe(error);
  await expect(sink.close()).rejects.toBe(error);
  expect([opened, sink.blockedBy, await world.ids()]).toEqual([1, undefined, []]);
});

test('what a host throws when it is told of a commit that nobody waits for ends the sink, behind that commit', async () => {
  const world = await SinkWorld.open(engine);
  const error = new RangeError('The list is full.');
  const onCommit = () => {
    throw error;
  };
  const sink = await world.sink({ batchSize: 5, batchIntervalMs: 20, onCommit });
  await sink.writer(0).writeBatch(...span('p', 0, 5));
  await expect.poll(() => sink.failure, { interval: 5, timeout: 60_000 }).toBe(error);
  await expect(sink.close()).rejects.toBe(error);
  expect(await world.ids()).toEqual([0, 1, 2, 3, 4]);
});

test('what blocks a sink is said once for each kind of error, thrown where nothing is tried again, and what ended it is always thrown', () => {
  const sink: { failure?: MoraineError; blockedBy?: MoraineError } = {};
  const state = {
    get failure() {
      return sink.failure;
    },
    get blockedBy() {
      return sink.blockedBy;
    },
  };
  const said: string[] = [];
  const watch = new CommitWatch(state, { onNotice: (text) => said.push(text) });
  const strict = new CommitWatch(state, { retries: false });
  watch.look();
  strict.look();
  sink.blockedBy = full('a');
  watch.look();
  sink.blockedBy = full('b');
  watch.look();
  expect(() => strict.look()).toThrow(sink.blockedBy);
  sink.blockedBy = new MoraineError('CATALOG_UNAVAILABLE', 'It does not answer.');
  watch.look();
  delete sink.blockedBy;
  watch.look();
  strict.look();
  sink.blockedBy = full('c');
  watch.look();
  const again = 'It is tried again when the batch interval has passed.';
  expect(said).toEqual([
    `The disk is full: /a. [STORAGE_UNAVAILABLE] ${again}`,
    `It does not answer. [CATALOG_UNAVAILABLE] ${again}`,
    `The disk is full: /c. [STORAGE_UNAVAILABLE] ${again}`,
  ]);
  sink.failure = new MoraineError('SINK_FENCED', 'Another one has it.');
  expect(() => watch.look()).toThrow(sink.failure);
});
