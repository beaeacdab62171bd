/** Which catalogs `moraine doctor` has Trino try; on Trino itself: test/servers/trino-engine.test.ts. */
import { expect, test } from 'vitest';
import { catalogsForTrino, sourcesForTrino, trinoChecks } from '../../../cli/trino-check.js';
import { configFromValue } from '../../../config/index.js';
import { parseDefinitions } from '../../../features/index.js';
import type { Project } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

/** Views on tables, with an engine or none. */
function viewsOn(sources: Readonly<Record<string, string | undefined>>) {
  const featureViews = Object.entries(sources).map(([table, engine], index) => ({
    name: `view_${index}`,
    source: { table, timestampField: 'at' },
    ...(engine === undefined ? {} : { engine }),
  }));
  return parseDefinitions([{ value: { featureViews } }]);
}

const CATALOGS = {
  main: { uri: 'main.db', warehouse: 'main' },
  lake: { uri: 'lake.db', warehouse: 'lake' },
  far: { type: 'trino', uri: 'https://far/lake' },
} as const;

function catalogsOf(
  type: 'duckdb' | 'trino' | 'auto',
  mapped: Readonly<Record<string, string>>,
  sources: Readonly<Record<string, string | undefined>>,
) {
  const trino = { uri: 'https://trino', catalogs: mapped };
  const config = configFromValue({ catalogs: CATALOGS, catalog: 'main', engine: { type }, trino }, '/p');
  return catalogsForTrino(config, [...viewsOn(sources).featureViews.values()]);
}

test('Trino is tried for catalogs that are mapped, and for those of sources that it may read', () => {
  expect(catalogsOf('duckdb', {}, {})).toEqual(['main']);
  expect(catalogsOf('duckdb', { lake: 'iceberg' }, { 'a.b': undefined })).toEqual(['lake']);
  expect(catalogsOf('duckdb', { lake: 'iceberg' }, { 'a.b': 'auto' })).toEqual(['lake', 'main']);
  expect(catalogsOf('duckdb', {}, { 'a.b': undefined, 'lake/a.b': 'trino' })).toEqual(['lake']);
  expect(catalogsOf('auto', { main: 'iceberg' }, { 'lake/a.b': undefined })).toEqual(['main', 'lake']);
  expect(catalogsOf('trino', {}, { 'lake/a.b': 'duckdb', 'lake/a.c': undefined })).toEqual(['lake']);
  // What is only read goes to DuckDB, unless Trino is asked for.
  expect(catalogsOf('auto', {}, { 'far/a.b': undefined })).toEqual(['main']);
  expect(catalogsOf('auto', {}, { 'far/a.b': 'trino' })).toEqual(['far']);
});

test('sources are looked for once each, as one that Trino is asked for if any view does', () => {
  const config = configFromValue({ catalogs: CATALOGS, catalog: 'main', engine: { type: 'auto' } }, '/p');
  const views = viewsOn({ 'a.b': undefined, 'lake/a.b': 'trino', 'a.c': 'duckdb', 'far/a.d': undefined });
  const again = viewsOn({ 'a.b': 'trino', 'lake/a.b': 'auto' });
  const all = [views, again].flatMap(({ featureViews }) => [...featureViews.values()]);
  expect(sourcesForTrino(config, all.slice(0, 4))).toEqual([
    { name: 'a.b', catalog: 'main', isAsked: false },
    { name: 'lake/a.b', catalog: 'lake', isAsked: true },
  ]);
  expect(sourcesForTrino(config, all).map(({ isAsked }) => isAsked)).toEqual([true, true]);
});

test('views that ask for Trino where none is configured fail the check, with the setting', async () => {
  const project = { config: configFromValue({}, '/p') } as unknown as Project;
  expect(trinoChecks(project, viewsOn({ 'a.b': 'auto' }))).toEqual([]);
  const [check = expect.unreachable()] = trinoChecks(project, viewsOn({ 'a.b': 'trino', 'a.c': undefined }));
  expect(check.name).toBe('Trino');
  const { code, message } = await failureOf(check.look());
  expect([code, message]).toEqual([
    'CONFIG_INVALID',
    'Feature views ask for Trino (view_0), but it is not said where Trino is: set trino.uri.',
  ]);
});
