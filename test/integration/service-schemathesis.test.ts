/**
 * Schemathesis sends generated requests to the service by its OpenAPI document: right and wrong ones, other methods, missing parts. No answer may be
 * 500, or have a status, a media type or a body that the document does not have; 405 must name the methods. So it is where API keys are on. The seed is fixed.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { createApiKey } from '../../service/index.js';
import { FeatureLab } from '../support/feature-lab.js';
import { startLabService } from '../support/lab-service.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
];

/** 501 and 503 say what is not supported and what does not run, Temporal here. */
const CONFIG = `
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501", "503", "504"]

[[operations]]
include-path = "/tables/{namespace}/{table}/files"
parameters = { "path.namespace" = "demo", "path.table" = "stats" }
`;

interface Ended {
  readonly code: number;
  readonly output: string;
}

describeInterop('Schemathesis', () => {
  let lab: FeatureLab;
  beforeAll(async () => {
    lab = await FeatureLab.open();
    const times = { event_ts: 'timestamptz', created: 'timestamptz' };
    await lab.createTable('demo.stats', { driver_id: 'long', ...times, conv_rate: 'double' });
    await lab.append(
      'demo.stats',
      `SELECT i, '2026-03-01T10:00:00Z'::TIMESTAMPTZ, NULL::TIMESTAMPTZ, i / 2000 FROM range(1000, 1010) AS t(i)`,
    );
  });
  afterAll(() => lab.close());

  /** @returns its address */
  async function serve(server: Parameters<typeof startLabService>[1]): Promise<string> {
    const service = await startLabService(lab, server);
    onTestFinished(() => service.close());
    const source = { table: 'demo.stats', timestampField: 'event_ts', createdTimestampField: 'created' };
    await service.moraine.apply({
      entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
      featureViews: [{ name: 'driver_hourly_stats', entities: ['driver'], source, online: true }],
    });
    const deps = await materializationDeps(service.moraine.project);
    await materializeDirect(deps, { view: 'driver_hourly_stats' });
    return service.service.url;
  }

  test('finds no answer that the OpenAPI document does not have', async () => {
    const bounds = ['--phases', 'examples,coverage,fuzzing', '-n', '8'];
    const { code, output } = await schemathesis(await serve({ maxRetrievals: 1 }), lab.folder, bounds);
    expect(code, output).toBe(0);
    // It has asked every path of the document.
    expect(output).toMatch(/Operations:\s+(\d+) selected \/ \1 total/);
    expect(output).toMatch(/ [1-9]\d{2,} generated/);
  });

  test('finds none without a key, with one that is not known, and with one that may only read', async () => {
    const keys = join(lab.folder, 'keys.json');
    const reader = await createApiKey(keys, 'reader', ['read']);
    const url = await serve({ keys });
    const refusals = [
      ['moraine_00000000_x', /401 Unauthorized \(\d+ operations\)/],
      [reader, /403 Forbidden \(\d+ operations\)/],
    ] as const;
    for (const [key, refused] of refusals) {
      // What is asked without a key or with a wrong one besides has to be answered with 401.
      const bounds = ['--phases', 'fuzzing', '-n', '2', '-H', `Authorization: Bearer ${key}`];
      const { code, output } = await schemathesis(url, lab.folder, bounds, [...CHECKS, 'ignored_auth']);
      expect(code, output).toBe(0);
      expect(output).toMatch(/Operations:\s+(\d+) selected \/ \1 total/);
      expect(output).toMatch(refused);
    }
  });
});

async function schemathesis(
  url: string,
  folder: string,
  bounds: readonly string[],
  checks: readonly string[] = CHECKS,
): Promise<Ended> {
  const python = pythonEnvironment(join(projectRoot, 'test/interop/requirements-schemathesis.txt'));
  const config = join(folder, 'schemathesis.toml');
  writeFileSync(config, CONFIG);
  const args = ['--config-file', config, 'run', `${url}/openapi.json`];
  const fixed = ['--seed', '17', '--no-shrink'];
  const rest = ['--checks', checks.join(','), '--generation-database', 'none', '--no-color'];
  const done = promisify(execFile)(python, ['-m', 'schemathesis.cli', ...args, ...bounds, ...fixed, ...rest], {
    cwd: folder,
    maxBuffer: 1 << 26,
    env: { ...process.env, PYTHONHASHSEED: '0' },
  });
  return await done.then(
    ({ stdout, stderr }) => ({ code: 0, output: `${stdout}${stderr}` }),
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => ({
      code: error.code,
      output: `${error.stdout}${error.stderr}`,
    }),
  );
}
