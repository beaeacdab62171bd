/**
 * A host of files with checkpoints of its own that is killed before, within, between and after them. sink-s3-rest.test.ts and sink-kafka.test.ts have the same on other
 * stores, catalogs and sources. `MORAINE_SINK_KILLS` (16).
 */
import { test } from 'vitest';
import { expectCheckpointsSurvived, FROM_FILES, ON_FILES } from '../support/checkpoint-rounds.js';
import { sinkKills } from '../support/sink-kills.js';

test('a host that is killed before, between and after its checkpoints has each record in the table once, and each batch in one snapshot', async () => {
  await expectCheckpointsSurvived({ name: 'of files', ...ON_FILES, ...FROM_FILES }, sinkKills(16));
});
