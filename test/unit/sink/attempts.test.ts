/** Attempts at the same work that claim a sink: one that stood still does not take it from a later one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { IcebergSink } from '../../../sink/index.js';
import { failureOf } from '../../support/error-code.js';
import { openSinkEngine, SinkWorld, span } from '../../support/sink-world.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

test.each([
  ['is under way', false],
  ['has landed without an answer', true],
])('an attempt whose claim %s when a later one claims the sink writes nothing', async (_, hasLanded) => {
  const world = await SinkWorld.open(engine);
  const open = (number: number) => world.sink({ attempt: { work: 'run', order: [1, number] } });
  const later: IcebergSink[] = [];
  world.faults.push(async (commit) => {
    if (hasLanded) await commit();
    later.push(await open(2));
    if (hasLanded) throw new MoraineError('COMMIT_STATE_UNKNOWN', 'No answer.');
    return commit();
  });
  const write = async (sink: IcebergSink): Promise<void> => {
    await sink.writer(0).writeBatch(...span('a', 0, 3));
    await sink.close();
  };
  await expect(open(1).then(write)).rejects.toMatchObject({ code: 'SINK_FENCED' });
  const [sink = expect.unreachable()] = later;
  await write(sink);
  expect(await world.ids()).toEqual([0, 1, 2]);
});

test('an attempt of an earlier run does not take the sink from one of a later run, whatever their numbers are; within a run the numbers count', async () => {
  const world = await SinkWorld.open(engine);
  const open = (id: string, askedAtMs: number, ...order: readonly number[]) =>
    world.sink({ attempt: { work: 'workflow', order, run: { id, askedAtMs } } });
  await (await open('first', 1_000, 9, 1)).close();
  await (await open('second', 2_000, 1, 1)).close();
  const late = await failureOf(open('first', 1_000, 9, 2));
  expect([late.code, late.message]).toEqual([
    'SINK_FENCED',
    'Sink "s" of table ns.t is a later attempt\'s: this is attempt 9.2 of run first, and the newest claim is that of 1.1 of run second.',
  ]);
  // A clock that was set back.
  const sink = await open('second', 1_500, 2, 1);
  await expect(open('second', 2_000, 1, 2)).rejects.toMatchObject({ code: 'SINK_FENCED' });
  await sink.writer(0).writeBatch(...span('a', 0, 2));
  await sink.close();
  expect(await world.ids()).toEqual([0, 1]);
});
