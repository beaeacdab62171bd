/**
 * `node dist/bench/fit-scale.js [--write]`: fits the coefficients of `estimates/` on what the job `scale` has measured at size M, prints how
 * far its runs and those of `scale-beyond` are off, and with `--write` writes `estimates/coefficients.ts` and the tables of `docs/scale.md`.
 * The same for parts, with `scale-parts` and `scale-parts-beyond`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Causes, Coefficients } from '../estimates/index.js';
import { userCacheFolder } from '../workers/server/user-cache.js';
import { MEDIANS } from './runner.js';
import { BEYOND, FIT, PARTS, PARTS_BEYOND } from './scale/cases.js';
import { type ComparedRun, compared, type Medians, ratiosOf, WITHIN, within } from './scale/compare.js';
import { withParts } from './scale/fit-parts.js';
import { nonNegativeLeastRatios, nonNegativeLeastSquares } from './scale/least-squares.js';
import { type ModelledRun, runsOf } from './scale/modelled-run.js';
import { paperTable } from './scale/paper.js';

const { values } = parseArgs({
  options: { write: { type: 'boolean', default: false }, size: { type: 'string', default: 'M' } },
});

/** @param atLeast seconds of CPU that a cause costs at least */
function fit(runs: readonly ModelledRun[], atLeast: Causes = {}): Coefficients {
  const stored = runs.filter(({ isRemote }) => isRemote);
  const traffic = ({ measured }: ModelledRun, what: string): number => measured.extra[`traffic.${what}`] ?? Number.NaN;
  const fixed = (
    costOf: (run: ModelledRun) => number,
    scaleOf: (run: ModelledRun) => number,
    more: (run: ModelledRun) => Causes = () => ({}),
  ) =>
    nonNegativeLeastSquares(
      stored.map((run) => ({
        causes: { run: 1, shards: run.shards, ...more(run) },
        cost: costOf(run),
        scale: Math.max(1, scaleOf(run)),
      })),
    );
  const readRequests = fixed(
    (run) => traffic(run, 'requests') - traffic(run, 'objects') - run.reads.requests,
    (run) => traffic(run, 'requests'),
  );
  const writeRequests = fixed(
    (run) => traffic(run, 'objects') - run.output.dataFiles,
    (run) => traffic(run, 'objects'),
  );
  const readBytes = fixed(
    (run) => traffic(run, 'readBytes') - run.reads.readBytes,
    (run) => traffic(run, 'readBytes'),
    ({ output }) => ({ files: output.dataFiles }),
  );
  const writtenBytes = nonNegativeLeastRatios(
    stored.map((run) => {
      const { dataFiles: files, sourceBytes: source, fileColumns } = run.output;
      return { causes: { run: 1, shards: run.shards, files, source, fileColumns }, cost: traffic(run, 'writtenBytes') };
    }),
  );
  const part = (cause: 'run' | 'shards') => ({
    readRequests: readRequests[cause] ?? 0,
    writeRequests: writeRequests[cause] ?? 0,
    readBytes: readBytes[cause] ?? 0,
    writtenBytes: writtenBytes[cause] ?? 0,
  });
  const calls = runs.map(({ measured }) => measured.extra['catalogCalls'] ?? 0).sort((a, b) => a - b);
  const alone = runs.filter(({ shards }) => shards === 1);
  return {
    cpuSeconds: nonNegativeLeastRatios(
      runs.map(({ measured: { cpuSeconds: cost }, causes }) => ({ causes, cost })),
      atLeast,
    ),
    memoryMib: nonNegativeLeastSquares(
      alone.map(({ measured, causes }) => ({ causes: stateOf(causes), cost: measured.peakMb })),
    ),
    catalogCalls: calls[calls.length >> 1] ?? 0,
    traffic: {
      perRun: part('run'),
      perShard: part('shards'),
      perFile: { readBytes: readBytes['files'] ?? 0, writtenBytes: writtenBytes['files'] ?? 0 },
      perSourceByte: writtenBytes['source'] ?? 0,
      perStagedByte: 0,
      perFileColumn: writtenBytes['fileColumns'] ?? 0,
    },
  };
}

/** Causes that hold memory: rows in hash tables and answers, files that are open or waiting. */
const STATE: readonly string[] = [
  'run',
  'writtenRows',
  'writtenCells',
  'writtenFiles',
  'answeredRows',
  'answeredCells',
  'rows',
  'sortedRows',
  'files',
];

const stateOf = (causes: Causes): Causes =>
  Object.fromEntries(Object.entries(causes).filter(([cause]) => STATE.includes(cause)));

/** CPU of a delete file, whatever it deletes: between 1,000 and 4,000 files of the job `position-deletes`. No run here has deletes. */
const DELETE_FILE_SECONDS = (2.962 - 0.8708) / 3000;

const short = (value: number): number => Number(value.toPrecision(3));

function rounded<T>(value: T): T {
  if (typeof value === 'number') return short(value) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member as unknown)])) as T;
}

/** The medians of a job, or undefined if it was not run at the size. */
function mediansOf(job: string): Medians | undefined {
  const path = join(userCacheFolder(), 'bench', `${job}-${values.size}`, MEDIANS);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Medians) : undefined;
}

const MIB = 2 ** 20;
const cell = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '');

/** The shapes of the tables that runs are called by. */
function shapeTable(): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  const shapes = Object.entries({ ...FIT.tables, ...BEYOND.tables, ...PARTS.tables, ...PARTS_BEYOND.tables }).map(
    ([name, shape]) => {
      const { rows, entities, files, doubles, ints = 0, texts = 0, textKeys } = shape;
      const features = [
        `${doubles} doubles`,
        ...(ints > 0 ? [`${ints} ints`] : []),
        ...(texts > 0 ? [`${texts} texts`] : []),
      ];
      const cells = [count(rows), count(entities), files, features.join(', '), textKeys === true ? 'text' : 'long'];
      return `| ${name} | ${cells.join(' | ')} |`;
    },
  );
  return ['| table | rows | entities | files | features | key |\n|---|---|---|---|---|---|', ...shapes].join('\n');
}

/** Costs of each run and of its parts. */
function costTable(medians: Medians): string {
  const head =
    '| run | CPU s | of it plan, shards, commit | read MiB | written MiB | requests | objects | peak MB |\n|---|---|---|---|---|---|---|---|';
  const rows = Object.entries(medians).map(([name, { cpuSeconds, peakMb, extra }]) => {
    const of = (key: string): number => extra[key] ?? Number.NaN;
    const parts = ['plan', 'shards', 'commit'].map((phase) => cell(of(`cpu.${phase}`))).join(', ');
    const isLocal = name.endsWith(', local');
    const traffic = [
      of('traffic.readBytes') / MIB,
      of('traffic.writtenBytes') / MIB,
      of('traffic.requests'),
      of('traffic.objects'),
    ];
    const cells = [
      cell(cpuSeconds),
      parts,
      ...traffic.map((value) => (isLocal ? '' : cell(value))),
      Math.round(peakMb),
    ];
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return [head, ...rows].join('\n');
}

/** Measured over estimated of each run. */
function ratioTable(runs: readonly ComparedRun[]): string {
  const head =
    '| run | CPU s, estimated | measured | ratio | read | written | requests | |\n|---|---|---|---|---|---|---|---|';
  const rows = runs.map((run) => {
    const { CPU, bytes, requests } = ratiosOf(run);
    const missed = (['CPU', 'bytes', 'requests'] as const).filter((what) => !within(run, what));
    const traffic = run.isLocal ? ['', '', ''] : [...bytes, ...requests].map((ratio) => ratio.toFixed(2));
    const cells = [cell(run.predicted.cpuSeconds), cell(run.measured.cpuSeconds), CPU[0].toFixed(2), ...traffic];
    return `| ${run.name} | ${cells.join(' | ')} | ${missed.length === 0 ? '' : `**${missed.join(', ')}**`} |`;
  });
  return [head, ...rows].join('\n');
}

function summary(runs: readonly ComparedRun[]): string {
  const counts = (['CPU', 'bytes', 'requests'] as const).map(
    (what) => `${what} ${runs.filter((run) => within(run, what)).length} of ${runs.length}`,
  );
  return `Within ${WITHIN}x: ${counts.join(', ')}.`;
}

function write(name: string, begin: string, end: string, text: string): void {
  const path = fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const page = readFileSync(path, 'utf8');
  const [from, to] = [page.indexOf(begin), page.indexOf(end, page.indexOf(begin))];
  if (from < 0 || to < 0) throw new Error(`${name} lacks ${begin}`);
  writeFileSync(path, `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`);
}

function needed(job: string): Medians {
  const medians = mediansOf(job);
  if (medians === undefined) throw new Error(`run \`npm run bench -- --job ${job} --size M --runs 1\` first`);
  return medians;
}

const measured = needed('scale');
const measuredParts = needed('scale-parts');
const materialization = fit(runsOf(measured, false), { deleteFiles: DELETE_FILE_SECONDS });
// Both look at the key and the time of every row; retrievals of many entity rows hide what that costs.
const { rows = 0 } = materialization.cpuSeconds;
const retrieval = withParts(
  fit(runsOf(measured, true), { rows, deleteFiles: DELETE_FILE_SECONDS }),
  runsOf(measuredParts, true),
);
// The code of parts is one, and few of their runs are materializations.
const { perStagedByte } = retrieval.traffic;
const { collectedCells = 0 } = retrieval.memoryMib;
const fitted = rounded({
  materialization: {
    ...materialization,
    memoryMib: { ...materialization.memoryMib, collectedCells },
    traffic: { ...materialization.traffic, perStagedByte },
  },
  retrieval,
});
const comparedRuns = (job: string): readonly ComparedRun[] => compared(mediansOf(job) ?? {}, fitted);
const tables = Object.fromEntries(
  ['scale', 'scale-beyond', 'scale-parts', 'scale-parts-beyond'].map((job) => {
    const runs = comparedRuns(job);
    return [job, `${ratioTable(runs)}\n\n${summary(runs)}`];
  }),
);
const paper = paperTable(fitted);
process.stdout.write(`${JSON.stringify(fitted, null, 2)}\n${[...Object.values(tables), paper].join('\n\n')}\n`);
if (values.write) {
  const literal = (name: string, value: Coefficients): string =>
    `export const ${name}: Coefficients = ${JSON.stringify(value, null, 2)};`;
  const largest = Math.max(...Object.values(FIT.tables).map(({ rows }) => rows));
  const rows = `/** Source rows of the largest run that was fitted on. */\nexport const MEASURED_ROWS = ${largest};`;
  const constants = [rows, literal('MATERIALIZATION', fitted.materialization), literal('RETRIEVAL', fitted.retrieval)];
  write('estimates/coefficients.ts', '// fitted', '// end of fitted', constants.join('\n\n'));
  const on = `Measured on ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores, Node ${process.versions.node}.`;
  const page = (marker: string, what: string): void =>
    write('docs/scale.md', `<!-- ${marker} -->`, `<!-- end of ${marker} -->`, what);
  page('costs', `${on}\n\n${shapeTable()}\n\n${costTable(measured)}`);
  page('fit', tables['scale'] ?? '');
  page('parts', tables['scale-parts'] ?? '');
  page('paper', paper);
  page('beyond', tables['scale-beyond'] ?? '');
  page('parts-beyond', tables['scale-parts-beyond'] ?? '');
}
