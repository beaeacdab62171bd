/** docs/http-api.md is run as it stands. */
import { expect, it } from 'vitest';
import { runServedPage } from '../support/served-page.js';

it('does what docs/http-api.md says', { timeout: 300_000 }, async () => {
  expect(await runServedPage('docs/http-api.md')).toBe(11);
});
