/**
 * `node dist/bench/fit-scale.js [--write]`: fits the coefficients of `estimates/` on what the job `scale` has measured at size M, prints how
 * far its runs and those of `scale-beyond` are off, and with `--write` writes `estimates/coefficients.ts` and the tables of `docs/scale.md`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  type Causes,
  type Coefficients,
  type MaterializationFacts,
  materializationCauses,
  materializedOutput,
  type RetrievalFacts,
  retrievalCauses,
  retrievedOutput,
} from '../estimates/index.js';
import { userCacheFolder } from '../workers/server/user-cache.js';
import type { Measurement } from './job.js';
import { MEDIANS } from './runner.js';
import { BEYOND, FIT } from './scale/cases.js';
import { type ComparedRun, compared, isRetrieval, type Medians, ratiosOf, WITHIN, within } from './scale/compare.js';
import { unflattened } from './scale/flat.js';
import { nonNegativeLeastRatios, nonNegativeLeastSquares } from './scale/least-squares.js';
import { paperTable } from './scale/paper.js';

const { values } = parseArgs({
  options: { write: { type: 'boolean', default: false }, size: { type: 'string', default: 'M' } },
});

/** A measured run with what the model knows of it. */
interface FittedRun {
  readonly measured: Measurement;
  readonly causes: Causes;
  readonly shards: number;
  readonly isRemote: boolean;
  readonly scan: { readonly readBytes: number; readonly requests: number };
  readonly output: ReturnType<typeof materializedOutput>;
}

function runsOf(medians: Medians, wantsRetrievals: boolean): readonly FittedRun[] {
  return Object.entries(medians).flatMap(([name, measured]) => {
    if (isRetrieval(name) !== wantsRetrievals) return [];
    return [wantsRetrievals ? retrievalRun(measured) : materializationRun(measured)];
  });
}

function materializationRun(measured: Measurement): FittedRun {
  const facts = unflattened<MaterializationFacts>(measured.extra);
  const { shards, isRemote } = facts;
  const output = materializedOutput(facts);
  return { measured, causes: materializationCauses(facts), shards, isRemote, scan: facts, output };
}

function retrievalRun(measured: Measurement): FittedRun {
  const facts = unflattened<RetrievalFacts>(measured.extra);
  const { shards, isRemote, entityReads, views } = facts;
  const sum = (what: 'readBytes' | 'requests'): number =>
    views.reduce((total, view) => total + view[what], entityReads[what]);
  const scan = { readBytes: sum('readBytes'), requests: sum('requests') };
  return { measured, causes: retrievalCauses(facts), shards, isRemote, scan, output: retrievedOutput(facts) };
}

/** @param atLeast seconds of CPU that a cause costs at least */
function fit(runs: readonly FittedRun[], atLeast: Causes = {}): Coefficients {
  const stored = runs.filter(({ isRemote }) => isRemote);
  const traffic = ({ measured }: FittedRun, what: string): number => measured.extra[`traffic.${what}`] ?? Number.NaN;
  const fixed = (
    costOf: (run: FittedRun) => number,
    scaleOf: (run: FittedRun) => number,
    more: (run: FittedRun) => Causes = () => ({}),
  ) =>
    nonNegativeLeastSquares(
      stored.map((run) => ({
        causes: { run: 1, shards: run.shards, ...more(run) },
        cost: costOf(run),
        scale: Math.max(1, scaleOf(run)),
      })),
    );
  const readRequests = fixed(
    (run) => traffic(run, 'requests') - traffic(run, 'objects') - run.shards * run.scan.requests,
    (run) => traffic(run, 'requests'),
  );
  const writeRequests = fixed(
    (run) => traffic(run, 'objects') - run.output.dataFiles,
    (run) => traffic(run, 'objects'),
  );
  const readBytes = fixed(
    (run) => traffic(run, 'readBytes') - run.shards * run.scan.readBytes,
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
  const shapes = Object.entries({ ...FIT.tables, ...BEYOND.tables }).map(([name, shape]) => {
    const { rows, entities, files, doubles, ints = 0, texts = 0, textKeys } = shape;
    const features = [
      `${doubles} doubles`,
      ...(ints > 0 ? [`${ints} ints`] : []),
      ...(texts > 0 ? [`${texts} texts`] : []),
    ];
    const cells = [count(rows), count(entities), files, features.join(', '), textKeys === true ? 'text' : 'long'];
    return `| ${name} | ${cells.join(' | ')} |`;
  });
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

const measured = mediansOf('scale');
if (measured === undefined) throw new Error('run `npm run bench -- --job scale --size M --runs 1` first');
const materialization = fit(runsOf(measured, false), { deleteFiles: DELETE_FILE_SECONDS });
// Both look at the key and the time of every row; retrievals of many entity rows hide what that costs.
const { rows = 0 } = materialization.cpuSeconds;
const fitted = rounded({
  materialization,
  retrieval: fit(runsOf(measured, true), { rows, deleteFiles: DELETE_FILE_SECONDS }),
});
const fittedRuns = compared(measured, fitted);
const beyond = mediansOf('scale-beyond');
const beyondRuns = beyond === undefined ? [] : compared(beyond, fitted);
const text = [
  ratioTable(fittedRuns),
  summary(fittedRuns),
  ratioTable(beyondRuns),
  summary(beyondRuns),
  paperTable(fitted),
];
process.stdout.write(`${JSON.stringify(fitted, null, 2)}\n${text.join('\n\n')}\n`);
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
  page('fit', `${ratioTable(fittedRuns)}\n\n${summary(fittedRuns)}`);
  page('paper', paperTable(fitted));
  page('beyond', `${ratioTable(beyondRuns)}\n\n${summary(beyondRuns)}`);
}
