/** The packed package: what it holds, and what a TypeScript project that installs it can and cannot compile. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeBlocks } from '../support/code-blocks.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { packPackage } from '../support/packed-package.js';
import { projectRoot } from '../support/paths.js';
import { PROGRAM_LIMIT } from '../support/program-limit.js';

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as Manifest;
let folder: string;
let app: string;
let packed: ReturnType<typeof packPackage>;
let paths: ReadonlySet<string>;

function run(command: string, args: readonly string[]) {
  const environment = {
    ...process.env,
    npm_config_loglevel: 'error',
    npm_config_prefer_offline: 'true',
    TEMPORAL_ADDRESS: undefined,
  };
  return spawnSync(command, args, { cwd: app, encoding: 'utf8', env: environment, ...PROGRAM_LIMIT });
}

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-package-')));
  app = join(folder, 'app');
  packed = packPackage(folder);
  paths = new Set(packed.files.map((file) => file.path));
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n');
  const installed = run('npm', [
    'install',
    '--save-exact',
    '--no-audit',
    '--no-fund',
    packed.file,
    `typescript@${manifest.devDependencies.typescript}`,
    `@types/node@${manifest.devDependencies['@types/node']}`,
    `@temporalio/worker@${manifest.dependencies['@temporalio/worker']}`,
  ]);
  if (installed.status !== 0) throw new Error(`npm install failed: ${installed.stderr}`);
  for (const { title, content, language } of codeBlocks(
    readFileSync(join(projectRoot, 'docs/quickstart.md'), 'utf8'),
  )) {
    if (language === 'ts' && title !== undefined) writeFileSync(join(app, title), content);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A page without its code. */
function prose(markdown: string): string {
  return markdown.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
}

describe('the tarball', () => {
  test('holds the build, the pages and the licence, and nothing else', () => {
    const top = new Set([...paths].map((path) => path.split('/')[0]));
    expect([...top].sort()).toEqual(
      [
        'ARCHITECTURE.md',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'dist',
        'docs',
        'package.json',
        'temporal-compose.yml',
      ].sort(),
    );
    const rooms = new Set([...paths].filter((path) => path.startsWith('dist/')).map((path) => path.split('/')[1]));
    for (const absent of ['test', 'bench', 'demo', 'examples', 'scripts', 'node_modules'])
      expect(rooms).not.toContain(absent);
    expect([...paths].filter((path) => /(?<!\.d)\.ts$|\.test\.|\.tgz$|(^|\/)\.[^/]*$/.test(path))).toEqual([]);
    expect(paths).toContain('dist/workflow-bundle.js');
  });

  test('holds every file that its manifest names, and their types', () => {
    const entries = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    const named = [...entries, ...Object.values(manifest.bin)].map((path) => posix.normalize(path));
    expect(named.filter((path) => !paths.has(path))).toEqual([]);
    const declarations = [...paths].filter((path) => path.endsWith('.d.ts'));
    expect(named.filter((path) => path.endsWith('.js') && !paths.has(path.replace(/\.js$/, '.d.ts')))).toEqual([]);
    expect(declarations.length).toBeGreaterThan(200);
  });

  test('holds each module once: joined with others, or a workflow that Temporal bundles', () => {
    const sources = [...paths]
      .filter((path) => path.endsWith('.js.map') && !/^dist\/(workflows|errors)\//.test(path))
      .flatMap((path) => {
        const map = JSON.parse(readFileSync(join(projectRoot, path), 'utf8')) as { sources: string[] };
        return map.sources.map((source) => posix.join(posix.dirname(path), source));
      });
    expect(sources.filter((source, index) => sources.indexOf(source) !== index)).toEqual([]);
    expect(sources.length).toBeGreaterThan(200);
    // No module of a room is left beside the file that it was joined into.
    expect([...paths].filter((path) => /^dist\/(engine|features|iceberg)\/.*\.js$/.test(path))).toEqual([]);
  });

  test('its source maps carry the sources, which are not in it', () => {
    const maps = [...paths].filter((path) => path.endsWith('.map'));
    const without = maps.filter((path) => {
      const map = JSON.parse(readFileSync(join(projectRoot, path), 'utf8')) as {
        sources: string[];
        sourcesContent?: (string | null)[];
      };
      return map.sources.some((_, index) => typeof map.sourcesContent?.[index] !== 'string');
    });
    expect(without).toEqual([]);
  });

  test('the pages link to files that are there; their pictures are in the repository alone', () => {
    const pages = [...paths].filter((path) => path.endsWith('.md'));
    const broken = pages.flatMap((page) =>
      [...prose(readFileSync(join(projectRoot, page), 'utf8')).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(([, link = '']) => posix.join(posix.dirname(page), link))
        .filter((target) => !target.startsWith('docs/images/'))
        .filter((target) => !paths.has(target) && ![...paths].some((path) => path.startsWith(`${target}/`)))
        .map((target) => `${page} -> ${target}`),
    );
    expect(broken).toEqual([]);
    expect([...paths].filter((path) => path.endsWith('.png'))).toEqual([]);
  });

  test('is small', () => {
    // The two bundles of workflows are nearly half of it.
    expect(packed.size).toBeLessThan(4_300_000);
    expect(packed.unpackedSize).toBeLessThan(16_800_000);
  });
});

/** Compiles files of the project strictly. */
function compile(files: readonly string[], ...options: readonly string[]) {
  const args = ['--noEmit', '--strict', '--target', 'es2023', '--types', 'node', ...options];
  const { status, stdout } = run('node', [join(app, 'node_modules/typescript/bin/tsc'), ...args, ...files]);
  return { status, errors: stdout.split('\n').filter((line) => line.includes('error TS')) };
}

describe('a TypeScript project', () => {
  const program = () => readdirSync(app).filter((name) => name.endsWith('.ts'));

  const modules = [
    ['nodenext', 'nodenext'],
    ['preserve', 'bundler'],
  ] as const;
  test.each(IS_LONG_FORM ? modules : modules.slice(0, 1))(
    'compiles the quickstart with module %s and module resolution %s',
    (module, resolution) => {
      expect(program().sort()).toEqual(['definitions.ts', 'quickstart.ts', 'replay.test.ts', 'worker.ts']);
      // The declarations of every package that the program reaches are checked too.
      const options = ['--skipLibCheck', 'false', '--module', module, '--moduleResolution', resolution];
      expect(compile(program(), ...options)).toEqual({ status: 0, errors: [] });
    },
  );

  test("compiles under options that Temporal's own declarations do not hold to", () => {
    const options = ['--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--verbatimModuleSyntax'];
    const nodenext = ['--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext'];
    expect(compile(program(), ...options, ...nodenext)).toEqual({ status: 0, errors: [] });
  });

  test('can export definitions, a client and its answers with declarations of their own', () => {
    const lines = [
      "import { createMoraine, defineFeatureService } from 'moraine';",
      "import { customerVisits, recommender } from './definitions.js';",
      "export const service = defineFeatureService({ name: 's', features: [{ view: customerVisits, features: ['pages'], alias: 'a' }] });",
      'export const untyped = await createMoraine();',
      'export const typed = await createMoraine({ definitions: [customerVisits, recommender, service] });',
      "export const read = () => untyped.getOnlineFeatures({ view: 'customer_visits', entities: [] });",
      "export const readTyped = () => typed.getOnlineFeatures({ service: 's', entities: [] });",
    ];
    writeFileSync(join(app, 'exports.ts'), `${lines.join('\n')}\n`);
    const options = ['--declaration', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext'];
    expect(compile(['definitions.ts', 'exports.ts'], ...options)).toEqual({ status: 0, errors: [] });
    rmSync(join(app, 'exports.ts'));
  });

  test('does not compile a feature, view or request that does not exist', () => {
    const lines = [
      "import { createMoraine, defineFeatureService } from 'moraine';",
      "import { customerVisits, recommender } from './definitions.js';",
      "import { createActivites } from 'moraine/worker';",
      "export const misspelt = customerVisits.feature('page');",
      "export const selected = defineFeatureService({ name: 's', features: [{ view: customerVisits, features: ['pages', 'second'] }] });",
      "export const right = defineFeatureService({ name: 's', features: [customerVisits.feature('seconds'), customerVisits] });",
      'const moraine = await createMoraine();',
      "await moraine.getHistoricalFeatures({ features: [customerVisits.feature('minutes')], entities: [] });",
      'await moraine.getOnlineFeatures({ service: recommender.name, entity: [] });',
      'await moraine.materialize({ view: customerVisits.name, from: 1 });',
      "import 'moraine/dist/client/moraine.js';",
      'const typed = await createMoraine({ definitions: [customerVisits, recommender] });',
      "await typed.getOnlineFeatures({ view: 'customer_visit', entities: [] });",
      "await typed.getHistoricalFeatures({ features: ['customer_visits:page'], entities: [] });",
    ];
    writeFileSync(join(app, 'wrong.ts'), `${lines.join('\n')}\n`);
    const { status, errors } = compile(
      ['wrong.ts'],
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--moduleResolution',
      'nodenext',
    );
    rmSync(join(app, 'wrong.ts'));
    expect(status).not.toBe(0);
    const found = errors.map((line) => /^wrong\.ts\((\d+),\d+\): error (TS\d+)/.exec(line)?.slice(1).join(' ') ?? line);
    expect(found).toEqual([
      '3 TS2724',
      '4 TS2345',
      '5 TS2322',
      '8 TS2345',
      '9 TS2353',
      '10 TS2353',
      '11 TS2882',
      '13 TS2820',
      '14 TS2820',
    ]);
  });

  test('has the command, and needs no package that it did not install', () => {
    expect(run('npx', ['--no-install', 'moraine', '--version'])).toMatchObject({
      status: 0,
      stdout: `${manifest.version}\n`,
    });
    const listed = run('npm', ['ls', '--omit=dev', '--depth=0', '--json']);
    expect(listed.status).toBe(0);
    const imports =
      "await import('moraine'); await import('moraine/worker'); await import('moraine/testing'); console.log('ok')";
    expect(run('node', ['--input-type=module', '-e', imports])).toMatchObject({ status: 0, stdout: 'ok\n' });
    expect(existsSync(join(app, 'node_modules/vitest'))).toBe(false);
    expect(dirname(realpathSync(join(app, 'node_modules/moraine')))).toBe(join(app, 'node_modules'));
  });
});
