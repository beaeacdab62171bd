/**
 * JSON Lines into a table through the sink, each record judged, beside DuckDB's own reader and writer, which judge none; and the memory that the sink takes, whatever the
 * length of its input.
 */
import { statSync } from 'node:fs';
import { sinkFiles } from '../../client/index.js';
import { type BenchContext, type BenchJob, type BenchVariant, figure, type Measurement } from '../job.js';
import { aboveIdleMb, MIB, memoryFigure } from '../memory-above-idle.js';
import {
  copyRecords,
  FEW_RECORDS,
  fewLinesOf,
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
/** The longer input has so many times the records. */
const LONGER = 10;
const OPTIONS = { batchSize: BATCH, badRecords: 'drop' } as const;
/** After this the few records are committed that make no batch. */
const INTERVAL_MS = 5_000;

/** A file is written. The idle sink is open, as is its project, and has committed a few records. */
function memoryOf(times: number): BenchVariant {
  return async (context, measure) => {
    const project = await openRecordsProject(context);
    let idle = Number.NaN;
    let committed = () => {};
    const hasCommitted = new Promise<void>((resolve) => (committed = resolve));
    /** An input without records: the next one is read once the first is committed. */
    async function* whenIdle(): AsyncGenerator<Uint8Array> {
      await hasCommitted;
      idle = process.memoryUsage().rss;
      yield* [];
    }
    const inputs = [fewLinesOf(context), { name: 'idle', stream: whenIdle() }, linesOf(context, times)];
    const options = { ...OPTIONS, batchIntervalMs: INTERVAL_MS, onCommit: () => committed() };
    const { rows } = await measure(() => sinkFiles(project, RECORDS_TABLE, inputs, options));
    const aboveMb = aboveIdleMb(idle);
    await project.close();
    return { rows: Number(rows), aboveMb };
  };
}

/** What a batch takes as its lines, MB. */
function batchMb(context: BenchContext): number {
  return (statSync(linesOf(context)).size / RECORDS[context.size]) * (BATCH / MIB);
}

export const sinkRecords: BenchJob = {
  name: NAME,
  title:
    'JSON Lines of ten fields into a fresh table, 50,000 records a commit, every value held to its column exactly and bad records left out; floor: one COPY of DuckDB from its JSON reader with the types given, zstd level 3 and a synced file on both sides. Memory above that of an idle sink, beside four times the bytes of a batch and 256 MB.',
  runs: 3,
  data: 'uplink-records',
  prepare: (context) => writeRecords(context, LONGER),
  variants: {
    async ours(context, measure) {
      const project = await openRecordsProject(context);
      await measure(() => sinkFiles(project, RECORDS_TABLE, [linesOf(context)], OPTIONS));
      const found = await recordFacts(project);
      await project.close();
      return { ...found, batchMb: batchMb(context) };
    },
    floor: copyRecords,
    memory: memoryOf(1),
    longer: memoryOf(LONGER),
  },
  figures(medians, size) {
    const { ours, floor, memory, longer } = medians;
    if (ours === undefined || floor === undefined) throw new Error('a variant was not measured');
    requireSameRecords(ours.extra, floor.extra, size);
    const records = RECORDS[size];
    const batch = ours.extra['batchMb'] ?? Number.NaN;
    const above = (measured: Measurement | undefined, count: number) => {
      const { rows, aboveMb = Number.NaN } = measured?.extra ?? {};
      if (rows !== count + FEW_RECORDS) throw new Error(`the table has ${rows} records, not ${count + FEW_RECORDS}`);
      return memoryFigure(NAME, size, `${count} records`, { aboveMb, batchMb: batch });
    };
    return [
      figure(NAME, size, `CPU, ${records} records`, ours.cpuSeconds, 's', { floor: floor.cpuSeconds, atMost: 2 }),
      figure(NAME, size, 'records per CPU second', records / ours.cpuSeconds, 'records/s', {
        floor: records / floor.cpuSeconds,
      }),
      figure(NAME, size, 'wall', ours.wallSeconds, 's', { floor: floor.wallSeconds }),
      figure(NAME, size, 'peak memory', ours.peakMb, 'MB', { floor: floor.peakMb }),
      above(memory, records),
      above(longer, LONGER * records),
    ];
  },
};
