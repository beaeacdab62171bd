/** The demo's tables, made by the demo's own steps: what is materialized and retrieved of them is the same, whoever reads them. */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { appendFile, withHistoricalFeatures } from '../../client/index.js';
import { writeSample } from '../../demo/expected.js';
import { DEFINITIONS_FILE, makeProject } from '../../demo/project-files.js';
import { applyFile, computeHourly, makeFrame, writeFlights } from '../../demo/steps.js';
import { digestRows } from '../../engine/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, type Project } from '../../project/index.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { onlineRows, openTrinoProject } from '../support/trino-worlds.js';

const FLIGHTS = join(projectRoot, 'node_modules/vega-datasets/data/flights-3m.parquet');
const SCALE = Number(process.env['MORAINE_DEMO_SCALE'] ?? '0.1');
const VIEWS = ['airport_delay', 'airport_traffic', 'airport_history'];
const FRAME_ROWS = 1_000;

const lake = inject('trinoLake');

/** Reductions that ran, and digests of what was made. */
async function materializeAll(project: Project) {
  const deps = await materializationDeps(project);
  const made: Record<string, unknown> = {};
  const engines: unknown[] = [];
  for (const view of VIEWS) {
    const { plan } = await materializeDirect(deps, { view });
    engines.push(plan.reduction?.engine);
    const { digest, rows } = await onlineRows(project, view);
    made[view] = { kind: plan.kind, digest, rows: rows.length };
  }
  return { made, engines };
}

async function trainingSet(project: Project, frame: string) {
  const request = { service: 'departures', entities: { file: frame }, fullFeatureNames: true };
  return await withHistoricalFeatures(project, request, async ({ connection, select, schema, joins }) => ({
    ...(await digestRows(connection, select, schema)),
    engines: [...joins.values()].map(({ engine }) => engine),
  }));
}

test(`the demo at scale ${SCALE}: materializations, late rows and a training set, by both engines`, async () => {
  const folder = temporaryFolder();
  const run = `demo${Date.now().toString(36)}`;
  const duckdb = await openTrinoProject(lake, 'duckdb', `${run}_duckdb`, { cwd: folder });
  const onTrino = await openTrinoProject(lake, 'trino', `${run}_trino`, { cwd: folder });
  try {
    await makeProject(join(folder, 'demo'));
    mkdirSync(join(folder, 'data'));
    const flights = join(folder, 'data/flights.parquet');
    await writeSample(FLIGHTS, SCALE, flights);
    await writeFlights(duckdb, flights);
    const { lateFile } = await computeHourly(duckdb);
    const file = join(folder, 'demo', DEFINITIONS_FILE);
    await applyFile(duckdb, parse(await readFile(file, 'utf8')), file);

    const [ours, theirs] = [await materializeAll(duckdb), await materializeAll(onTrino)];
    expect(theirs.made).toEqual(ours.made);
    expect(theirs.engines).toEqual(['trino', 'trino', 'trino']);
    expect(ours.engines).toEqual([undefined, undefined, undefined]);

    await appendFile(duckdb, 'demo.airport_hourly', lateFile);
    const [late, theirLate] = [await materializeAll(duckdb), await materializeAll(onTrino)];
    expect(theirLate.made).toEqual(late.made);
    expect(theirLate.engines).toEqual(['trino', 'trino', 'trino']);
    expect(late.made).not.toEqual(ours.made);

    const frame = await makeFrame(duckdb, FRAME_ROWS);
    const set = await trainingSet(duckdb, frame);
    expect(set).toMatchObject({ rows: BigInt(FRAME_ROWS), engines: ['duckdb', 'duckdb'] });
    expect(await trainingSet(onTrino, frame)).toEqual({ ...set, engines: ['trino', 'trino'] });
  } finally {
    await duckdb.close();
    await onTrino.close();
  }
}, 600_000);
