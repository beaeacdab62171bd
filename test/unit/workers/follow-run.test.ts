/** What is said to somebody who stops waiting for a run that goes on. */
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { waitForCompact, waitForMaintain } from '../../../workers/clients/table-run-client.js';
import { failureOf } from '../../support/error-code.js';

/** A server on which nothing ends. */
const ENDLESS = {
  workflow: { getHandle: () => ({ result: () => new Promise(() => undefined) }) },
} as unknown as Client;

/** docs/workflows.md: cancelling `compact` stops the waiting, cancelling `compact/<table>@<project>` the work; so of `maintain`. */
test.each([
  ['compact', waitForCompact],
  ['maintain', waitForMaintain],
] as const)(
  'of %s: the run of the table is the one to cancel, not the request that waits for it',
  async (name, wait) => {
    const workflowId = `${name}-request/shop.orders/7b0c@3f9ac2d1b0e4`;
    const options = { signal: AbortSignal.abort() };
    const error = await failureOf(wait(ENDLESS, { workflowId, runId: 'r' }, 'shop.orders', options));
    expect(error).toMatchObject({
      code: 'CANCELLED',
      message: `stopped waiting for ${workflowId}: the run goes on`,
      remedy: `\`moraine run show ${workflowId} --watch\` follows it; \`temporal workflow cancel --workflow-id ${name}/shop.orders@3f9ac2d1b0e4\` stops it.`,
    });
  },
);
