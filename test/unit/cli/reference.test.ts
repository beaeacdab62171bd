import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cliReference, errorReference } from '../../../cli/reference.js';
import { ERROR_TABLE } from '../../../errors/index.js';
import { projectRoot } from '../../support/paths.js';

const page = (name: string): string => readFileSync(join(projectRoot, 'docs', name), 'utf8');

it('docs/cli.md is what the commands say (npm run build && node scripts/write-reference.mjs)', () => {
  expect(page('cli.md')).toBe(cliReference());
});

it('docs/errors.md is what the error table says', () => {
  expect(page('errors.md')).toBe(errorReference());
});

it('every error code has an exit code that a shell can show and that no signal uses', () => {
  for (const [code, entry] of Object.entries(ERROR_TABLE)) {
    expect(Number.isInteger(entry.exitCode) && entry.exitCode >= 1 && entry.exitCode <= 125, code).toBe(true);
  }
});
