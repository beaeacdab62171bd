/** docs/python.md is run as it stands, with Feast's unmodified client, pandas, Polars and PyArrow. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';
import { runServedPage } from '../support/served-page.js';

describeInterop('Python', () => {
  it('does what docs/python.md says', { timeout: 600_000 }, async () => {
    const python = pythonEnvironment(join(projectRoot, 'test/interop/requirements-python-page.txt'));
    expect(await runServedPage('docs/python.md', new Map([['python3 ', `'${python}' -W ignore `]]))).toBe(8);
  });
});
