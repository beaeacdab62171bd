/**
 * A sink of a file that is killed between the commit of its own table and those of its dead letters and of an online table. sink-s3-rest.test.ts and sink-kafka.test.ts
 * have the same on other stores, catalogs and sources. `MORAINE_SINK_KILLS` for each way (6, and two of the ways).
 */
import { test } from 'vitest';
import { betweenWays, expectBetweenSurvived, FROM_A_FILE } from '../support/between-commits.js';
import { LOCAL_CONFIG, sinkKills } from '../support/sink-kills.js';

const KILLS = sinkKills(6);
test.each(betweenWays('upserts, too'))(
  `killed ${KILLS} times between the commit of its table and the others', a sink of $name has each record once in all of them`,
  async (way) => {
    await expectBetweenSurvived(
      way,
      { ...{ name: 'of a file', config: LOCAL_CONFIG, isLocal: true }, ...FROM_A_FILE },
      KILLS,
    );
  },
);
