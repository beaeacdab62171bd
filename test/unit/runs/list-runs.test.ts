/** Which runs are those of a view or a table. */
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { listRuns } from '../../../runs/index.js';

const PROJECT = '3f9ac2d1b0e4';

interface Listed {
  readonly id: string;
  readonly view?: string;
  readonly table?: string;
}

/** Runs as a server lists them: those of people say nothing but their id. */
const LISTED: readonly Listed[] = [
  { id: `materialize/visits/incremental@${PROJECT}`, view: 'visits', table: 'moraine_online.visits' },
  { id: `materialize/incremental/incremental@${PROJECT}`, view: 'incremental', table: 'moraine_online.incremental' },
  { id: `schedule/materialize/visits@${PROJECT}-2026-11-27T00:00:00Z` },
  { id: `compact/shop.orders@${PROJECT}`, table: 'shop.orders' },
  { id: `compact/archive/shop.orders@${PROJECT}`, table: 'archive/shop.orders' },
  { id: `compact-request/archive/shop.orders/7b0c@${PROJECT}`, table: 'archive/shop.orders' },
  { id: `schedule/maintain/archive/shop.orders@${PROJECT}-2026-11-27T00:00:00Z` },
];

const CLIENT = {
  workflow: {
    list: async function* () {
      for (const [index, { id: workflowId, view, table }] of LISTED.entries())
        yield await Promise.resolve({
          ...{ workflowId, runId: 'r', type: 't', status: { name: 'COMPLETED' }, memo: {} },
          startTime: new Date(LISTED.length - index),
          searchAttributes: {
            ...(view === undefined ? {} : { MoraineView: [view] }),
            ...(table === undefined ? {} : { MoraineTable: [table] }),
          },
        });
    },
  },
} as unknown as Client;

test.each([
  [{ view: 'visits' }, [0, 2]],
  [{ view: 'incremental' }, [1]],
  // Whose id alone tells may be of any catalog.
  [{ table: 'shop.orders' }, [3, 6]],
  [{ table: ['shop.orders', 'local/shop.orders'] }, [3, 6]],
  [{ table: 'archive/shop.orders' }, [4, 5, 6]],
  [{ table: 'moraine_online.visits', view: 'visits' }, [0]],
])('%j are runs of that name alone', async (filter, places) => {
  const found = await listRuns(CLIENT, { taskQueue: 'q', project: PROJECT, limit: 10, ...filter });
  expect(found.map(({ workflowId }) => workflowId)).toEqual(places.map((place) => LISTED[place]?.id));
});
