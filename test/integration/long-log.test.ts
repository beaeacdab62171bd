/** A log that is compared in parts: what a comparison holds at once is bounded by a part, not by the log. */
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { openEngine, sqlType } from '../../engine/index.js';
import { currentSchema } from '../../iceberg/index.js';
import { compareLoggedFeatures } from '../../logging/index.js';
import { materializationDeps } from '../../project/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend } from '../../tables/index.js';
import { failureOf } from '../support/error-code.js';
import { LoggingLab } from '../support/logging-lab.js';

const ROWS = 1_000_000;
/** One request each second from 2026-03-01 on, of 1,000 sensors in turn; each tenth was served another value than the source has. */
const SERVED: Readonly<Record<string, string>> = {
  event_timestamp: "TIMESTAMPTZ '2026-03-01' + to_seconds(i)",
  __log_timestamp: "TIMESTAMPTZ '2026-03-01' + to_seconds(i)",
  __request_id: "i || repeat('x', 60)",
  sensor: 'i % 1000',
  stats__a: 'CASE WHEN i % 10 = 0 THEN -1 ELSE i % 1000 END',
  stats__a__timestamp: "TIMESTAMPTZ '2026-02-28'",
  stats__a__status: "'PRESENT'",
};

async function labOfLongLog(): Promise<LoggingLab> {
  const lab = await LoggingLab.open();
  onTestFinished(() => lab.close());
  const { moraine } = lab;
  await lab.createTable('demo.stats', { sensor: 'long', event_ts: 'timestamptz', a: 'double' });
  const sensors = Array.from({ length: 1000 }, (_, sensor) => ({
    sensor,
    event_ts: '2026-02-28T00:00:00Z',
    a: sensor,
  }));
  await lab.append('demo.stats', sensors);
  await moraine.apply({
    entities: [{ name: 'sensor', joinKeys: ['sensor'] }],
    featureViews: [
      {
        name: 'stats',
        entities: ['sensor'],
        source: { table: 'demo.stats', timestampField: 'event_ts' },
        online: true,
      },
    ],
    featureServices: [{ name: 'svc', features: ['stats'] }],
  });
  await lab.materialize('stats');
  // The log is made by one answer, whose row is not a part of what is compared.
  const entities = [{ sensor: 1 }];
  const response = await moraine.getOnlineFeatures({ service: 'svc', entities, fullFeatureNames: true });
  await moraine.writeLoggedFeatures('svc', [{ response, entities, requestId: 'first' }]);
  const table = await moraine.project.loadTable('moraine_logs.svc_log');
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const columns = schema.fields.map(({ name, type }) => `(${SERVED[name] ?? 'NULL'})::${sqlType(type)}`);
  const select = `SELECT ${columns.join(', ')} FROM range(${ROWS}) t(i)`;
  const engine = await moraine.project.engine();
  const rows = { select, namePrefix: randomUUID() };
  await commitAppend(table, { files: await engine.withConnection((connection) => stageRows(connection, table, rows)) });
  return lab;
}

test('a part fits where the whole log does not', { timeout: 600_000 }, async () => {
  const lab = await labOfLongLog();
  const { project } = lab.moraine;
  // Rows that do not fit into memory have nowhere to go.
  const engine = await openEngine({
    memoryLimitBytes: 128 * 2 ** 20,
    tempLimitBytes: 2 ** 20,
    threads: 1,
    tempDirectory: `${lab.folder}/small`,
    allowedDirectories: [lab.folder],
  });
  onTestFinished(() => engine.close());
  const deps = { ...(await materializationDeps(project)), engine, namespace: ['moraine_logs'] };
  const request = {
    service: 'svc',
    startUs: BigInt(Date.UTC(2026, 2, 1)) * 1000n,
    endUs: BigInt(Date.UTC(2026, 3, 1)) * 1000n,
    examples: 2,
  };
  const whole = await failureOf(compareLoggedFeatures(deps, { ...request, partRows: ROWS }));
  expect(whole.code).toBe('ENGINE_OUT_OF_MEMORY');
  const done: number[] = [];
  const onProgress = ({ rows }: { readonly rows: number }) => void done.push(rows);
  const comparison = await compareLoggedFeatures(deps, { ...request, partRows: 100_000, onProgress });
  expect(done.length).toBeGreaterThan(9);
  expect(done.at(-1)).toBe(ROWS);
  expect(comparison).toMatchObject({ rows: ROWS, matches: false });
  expect(comparison.features).toMatchObject([
    { name: 'stats__a', match: 900_000, mismatch: { total: 100_000 }, missing: { total: 0 }, extra: { total: 0 } },
  ]);
  expect(comparison.examples.map(({ requestId }) => requestId.replaceAll('x', ''))).toEqual(['0', '10']);
});
