/** Attempts at the same work that claim a sink: one that stood still does not take it from a later one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { IcebergSink } from '../../../sink/index.js';
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
