/** Projects of which only the configuration differs, and what each of them must do. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type CliResult, jsonLines, moraine } from './cli.js';
import { codeBlocks } from './code-blocks.js';
import { projectRoot } from './paths.js';
import { PASSWORD } from './postgres-server.js';
import { python } from './python.js';
import { type S3Server } from './s3-server.js';
import { temporaryFolder } from './temp-folder.js';

/** The first configuration of a page, or that below a heading. */
function configOf(page: string, heading?: string): string {
  const text = readFileSync(join(projectRoot, page), 'utf8');
  const isNamed = (line: string): boolean => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading;
  const line = heading === undefined ? 0 : text.split('\n').findIndex(isNamed);
  const found = codeBlocks(text).find((block) => block.line > line + 1 && block.title === 'moraine.yaml');
  return line < 0 || found === undefined ? expect.unreachable(`${page}: no configuration is there`) : found.content;
}
/** That of the store. */
export const SECRET = 'canary-secret-of-the-tests';

export interface Setup {
  readonly page?: string;
  readonly heading?: string;
  /** `user:password@host:port/name` */
  readonly database?: string;
  /** The address of a catalog. */
  readonly catalog?: string;
  /** A second store. */
  readonly archive?: S3Server;
}

export type SharedProject = Awaited<ReturnType<typeof makeProject>>;

/** A folder with the configuration of a page, if one is given, and the command in it. */
export function configuredFolder(server: S3Server, { page, heading, database = '', catalog = '', archive }: Setup) {
  const folder = temporaryFolder();
  const outputs: CliResult[] = [];
  const env = {
    LAKE_ENDPOINT: server.endpoint,
    LAKE_ACCESS_KEY: server.options['s3.access-key-id'],
    LAKE_SECRET_KEY: SECRET,
    ARCHIVE_ENDPOINT: archive?.endpoint ?? '',
    ARCHIVE_ACCESS_KEY: archive?.options['s3.access-key-id'] ?? '',
    ARCHIVE_SECRET_KEY: SECRET,
    LAKE_PASSWORD: PASSWORD,
    LAKE_DATABASE: database.slice(database.indexOf('@') + 1),
    LAKE_CATALOG: catalog,
    LAKE_METASTORE: catalog,
    LAKE_CREDENTIAL: `moraine:${PASSWORD}`,
    // Nothing but the configuration gives access to a store.
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const run = async (...args: string[]): Promise<string> => {
    const result = await moraine(args, { cwd: folder, env });
    outputs.push(result);
    expect(result.code, result.stderr).toBe(0);
    return result.stdout;
  };
  const configure = (): string => {
    const file = join(folder, 'moraine.yaml');
    if (page !== undefined) writeFileSync(file, configOf(page, heading));
    return file;
  };
  return { folder, run, outputs, env, configure };
}

/** A project as `moraine init` makes it, or with the configuration of a page. */
export async function makeProject(server: S3Server, setup: Setup = {}) {
  const { folder, run, outputs, configure } = configuredFolder(server, setup);
  await run('init', '.');
  configure();
  return { folder, run, outputs };
}

const HISTORICAL = ['features', 'historical', '--features', 'churn_model', '--entities', 'data/entities.csv'];

/** The life of a project: the answers, without what differs from run to run. */
export async function live({ run }: SharedProject) {
  await run(
    'table',
    'append',
    'shop.customer_orders',
    'data/customer_orders.csv',
    '--create',
    '--partition',
    'month(event_ts)',
  );
  await run('apply');
  await run('materialize', 'customer_activity');
  await run('table', 'append', 'shop.customer_orders', 'data/customer_orders.csv');
  await run('materialize', 'customer_activity');
  const answers = [
    await run(...HISTORICAL),
    await run('online', 'get', 'customer_activity', '--entity', 'customer_id=3', '--at', '2026-01-31'),
    await run('online', 'get', 'customer_activity', '--entity', 'customer_id=99', '--at', '2026-01-31'),
  ];
  await run('compact', 'shop.customer_orders', '--strategy', 'binpack');
  await run(
    'maintain',
    'shop.customer_orders',
    '--older-than',
    '0s',
    '--retain-last',
    '1',
    '--orphans-older-than',
    '3d',
  );
  const rows = jsonLines(await run('table', 'scan', 'shop.customer_orders'));
  const doctor = await run('doctor');
  return { answers, rows: rows.map((row) => JSON.stringify(row)).toSorted(), doctor };
}

let onFiles: ReturnType<typeof live> | undefined;
/** The answers of a project of files. */
export const localAnswers = async (server: S3Server) => await (onFiles ??= makeProject(server).then(live));

/** What differs between catalogs that a project is made with. */
export interface CatalogUnderTest extends Setup {
  /** What `doctor` says of it. */
  readonly shown: string;
  /** Properties by which PyIceberg opens it. */
  readonly python: Readonly<Record<string, string>>;
}

/**
 * Lives the life of a project on a store and a catalog, by the configuration of docs/catalogs.md: its answers are those of a project of
 * files, PyIceberg reads what it wrote, and no command has shown a secret.
 */
export async function expectSameLife(server: S3Server, { shown, python: properties, ...setup }: CatalogUnderTest) {
  const local = await localAnswers(server);
  const project = await makeProject(server, { page: 'docs/catalogs.md', ...setup });
  const remote = await live(project);
  expect(remote.answers).toEqual(local.answers);
  expect(remote.rows).toEqual(local.rows);
  expect(remote.doctor).toContain(shown);
  const read = await python<{ rows: number; online: number }>('read_store.py', JSON.stringify(properties));
  expect(read.rows).toBe(320);
  expect(read.online).toBeGreaterThan(0);
  expectNoSecrets(project.outputs);
  return project;
}

/** No output shows what gives access to the store or to the catalog. */
export function expectNoSecrets(outputs: readonly CliResult[]): void {
  for (const { stdout, stderr } of outputs) {
    expect(stdout + stderr).not.toContain(PASSWORD);
    expect(stdout + stderr).not.toContain(SECRET);
  }
}
