/** A sink of a file that is killed again and again: whole batches at every moment, and in the end each record once. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'vitest';
import { expectKillsSurvived, killedLines, LOCAL_CONFIG, SINK_KILLS } from '../support/sink-kills.js';

/** Importing the seed made it shorter. */

test(`killed ${SINK_KILLS} times at random accesses, a sink shows whole batches to who polls it, and each record once`, async () => {
  await expectKillsSurvived('sink of a file', {
    ...{ config: LOCAL_CONFIG, isLocal: true, source: ['a.ndjson'], partitions: 1 },
    offer: (folder, _, from, to) => appendFile(join(folder, 'a.ndjson'), killedLines(from, to)),
  });
});
