/** JSON Lines into a table through the sink, each record judged, beside DuckDB's own reader and writer, which judge none. */
import { sinkFiles } from '../../client/index.js';
import { type BenchJob, figure } from '../job.js';
import {
  copyRecords,
  linesOf,
  openRecordsProject,
  RECORDS,
  RECORDS_TABLE,
  recordFacts,
  requireSameRecords,
  writeRecords,
} from '../uplink-records.js';

const NAME = 'sink-records';
const BATCH = 50_000;

export const sinkRecords: BenchJob = {
  name: NAME,
  title:
    'JSON Lines of ten fields into a fresh table, 50,000 records a commit, every value held to its column exactly and bad records left out; floor: one COPY of DuckDB from its JSON reader with the types given, zstd level 3 on both sides.',
  runs: 3,
  prepare: writeRecords,
  variants: {
    async ours(context, measure) {
      const project = await openRecordsProject(context);
      const options = { batchSize: BATCH, badRecords: 'drop' } as const;
      await measure(() => sinkFiles(project, RECORDS_TABLE, [linesOf(context)], options));
      const found = await recordFacts(project);
      await project.close();
      return found;
    },
    floor: copyRecords,
  },
  figures(medians, size) {
    const { ours, floor } = medians;
    if (ours === undefined || floor === undefined) throw new Error('a variant was not measured');
    requireSameRecords(ours.extra, floor.extra, size);
    const records = RECORDS[size];
    return [
      figure(NAME, size, `CPU, ${records} records`, ours.cpuSeconds, 's', { floor: floor.cpuSeconds, atMost: 2 }),
      figure(NAME, size, 'records per CPU second', records / ours.cpuSeconds, 'records/s', {
        floor: records / floor.cpuSeconds,
      }),
      figure(NAME, size, 'wall', ours.wallSeconds, 's', { floor: floor.wallSeconds }),
      figure(NAME, size, 'peak memory', ours.peakMb, 'MB', { floor: floor.peakMb }),
    ];
  },
};
