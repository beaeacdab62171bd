/** Fault points: places where a process may die, named, so that tests can kill it exactly there. */
import { channel } from 'node:diagnostics_channel';

/** The name of the channel, for `node:diagnostics_channel`. Nobody listens but tests. */
const FAULT_POINT_CHANNEL = 'moraine:fault-point';

const points = channel(FAULT_POINT_CHANNEL);

/** Says on the channel that the process is at a point. Who listens is called at once, before this returns. */
export function reachFaultPoint(point: string): void {
  points.publish(point);
}
