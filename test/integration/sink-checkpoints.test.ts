/**
 * A host of files with checkpoints of its own that is killed before, within, between and after them. sink-s3-rest.test.ts and sink-kafka.test.ts have the same on other
 * stores, catalogs and sources. `MORAINE_SINK_KILLS` (16).
 */
import { join } from 'node:path';
import { test } from 'vitest';
import { expectCheckpointsSurvived, FROM_FILES } from '../support/checkpoint-rounds.js';
import { LOCAL_CONFIG, sinkKills } from '../support/sink-kills.js';

test('a host that is killed before, between and after its checkpoints has each record in the table once, and each batch in one snapshot', async () => {
  const catalog = (folder: string) => ({
    ...{ catalogUri: join(folder, 'catalog.db'), warehousePath: join(folder, 'warehouse') },
  });
  await expectCheckpointsSurvived(
    { ...{ name: 'of files', config: LOCAL_CONFIG, isLocal: true, catalog }, ...FROM_FILES },
    sinkKills(16),
  );
});
