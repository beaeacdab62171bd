/** What readers of this process decode, by what they tell tracing. */
import { tracingChannel } from 'node:diagnostics_channel';
import { type SharedWork, WORK_CHANNEL } from '../../online/index.js';

/** Counts the parts that are decoded from files while somebody does something. */
export async function partsDecoded(act: () => Promise<unknown>): Promise<number> {
  let parts = 0;
  const start = (message: unknown): void => {
    const { name, attributes } = message as SharedWork;
    if (name === 'decode rows') parts += Number(attributes['moraine.decode.parts']);
  };
  const work = tracingChannel<object>(WORK_CHANNEL).start;
  work.subscribe(start);
  await act().finally(() => work.unsubscribe(start));
  return parts;
}
