import { expect, test } from 'vitest';
import { openEngine } from '../../../engine/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** Milliseconds between two turns of a timer, as heartbeats are sent from one. */
const TICK_MS = 20;

test('a long statement leaves the event loop to timers, and so to heartbeats', async () => {
  const folder = temporaryFolder();
  const engine = await openEngine({
    memoryLimitBytes: 200e6,
    threads: 1,
    tempDirectory: folder,
    allowedDirectories: [folder],
  });
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), TICK_MS);
  const began = performance.now();
  try {
    const sql = 'SELECT count(*) FROM range(8000) a(x), range(8000) b(y) WHERE (x * y) % 7 = 3';
    await engine.withConnection((connection) => connection.rows(sql));
  } finally {
    clearInterval(timer);
    await engine.close();
  }
  const possible = (performance.now() - began) / TICK_MS;
  expect(possible).toBeGreaterThan(10); // the statement was a long one
  // Blocked, there would be one tick at the most, however slow the machine is.
  expect(ticks).toBeGreaterThan(possible / 10);
});
