// Loaded into a process with `node --import`: kills it with SIGKILL when it reaches a fault point.
//
//   MORAINE_FAULT_POINT     the point
//   MORAINE_FAULT_MARKER    a file that is created when the process dies; if it exists, the process lives

import { subscribe } from 'node:diagnostics_channel';
import { closeSync, existsSync, openSync } from 'node:fs';

const { MORAINE_FAULT_POINT: wanted, MORAINE_FAULT_MARKER: marker } = process.env;

subscribe('moraine:fault-point', (point) => {
  if (point !== wanted || existsSync(marker)) return;
  closeSync(openSync(marker, 'wx'));
  process.kill(process.pid, 'SIGKILL');
});
