/** Work that is done once for several requests, as tracing sees it. */
import { channel, tracingChannel } from 'node:diagnostics_channel';

/** A part of such work that a request waits for; sent in the request's asynchronous context, once for each that waits. */
export const PART_CHANNEL = 'moraine:shared-work-part';

/** The work, traced. */
export const WORK_CHANNEL = 'moraine:shared-work';

/** Attributes of a span, by name. */
type WorkAttributes = Readonly<Record<string, string | number>>;

/** Work while it is done and afterwards. */
export interface SharedWork {
  readonly name: 'group commit' | 'decode rows' | 'choose ranges';
  readonly attributes: WorkAttributes;
  /** Its parts, each as {@link PART_CHANNEL} has sent it. Those that nobody waits for were not sent. */
  readonly parts: readonly object[];
  /** Does the work in a context of its own; a subscriber may set it at the start. */
  run?: <T>(work: () => T) => T;
}

const parts = channel(PART_CHANNEL);
const works = tracingChannel<SharedWork>(WORK_CHANNEL);

/** Says that the request of the present context waits for a part. */
export function notePart(part: object): void {
  if (parts.hasSubscribers) parts.publish(part);
}

/** Does work for all who wait for its parts. @throws what the work throws */
export async function doShared<T>(work: SharedWork, act: () => Promise<T>): Promise<T> {
  return await works.tracePromise(() => (work.run === undefined ? act() : work.run(act)), work);
}
