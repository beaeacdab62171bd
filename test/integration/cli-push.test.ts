/** `moraine push` as a command: what it writes, prints and refuses. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';

const DEFINITIONS = `
entities:
  - { name: airport, joinKeys: [origin] }
featureViews:
  - name: delays
    entities: [airport]
    source: { table: demo.delays, timestampField: event_ts, fieldMapping: { mean: mean_delay } }
    features: [mean_delay]
    online: true
    pushSource: flown
`;

it('a file is pushed to the tables of a push source, once under its key', async () => {
  const folder = temporaryFolder();
  const file = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const ok = (...args: string[]) => moraineOk(args, { cwd: folder });
  file('moraine.yaml', 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n');
  file('features.yaml', DEFINITIONS);
  file('first.csv', 'origin,event_ts,mean\nA,2001-01-01T00:00:00Z,1.5\n');
  file('next.csv', 'origin,event_ts,mean\nA,2001-01-02T00:00:00Z,2.5\nB,2001-01-02T00:00:00Z,3.5\n');
  await ok('table', 'append', 'demo.delays', 'first.csv', '--create');
  await ok('apply', 'features.yaml');
  const push = ['push', 'flown', 'next.csv', '--to', 'online_and_offline', '--key', 'k'];
  expect(await ok(...push)).toMatch(
    /^table demo\.delays: wrote 2 rows in 1 file, snapshot \d+\.\nfeature view delays: wrote 2 rows in \d files?, snapshot \d+\.\n$/,
  );
  expect(JSON.parse(await ok(...push, '--json'))).toMatchObject({
    ...{ source: 'flown', to: 'online_and_offline' },
    tables: [{ table: 'demo.delays', outcome: 'already-committed', rows: 0 }],
    views: [{ view: 'delays', outcome: 'already-committed' }],
  });
  expect(await ok('online', 'get', 'delays', '--entity', 'origin=B')).toContain('3.5');
  expect(JSON.parse(await ok('table', 'show', 'demo.delays', '--json'))).toMatchObject({ snapshots: 2 });
  const unknown = await moraine(['push', 'flow', 'next.csv'], { cwd: folder });
  expect(unknown).toMatchObject({ code: 3, stdout: '' });
  expect(unknown.stderr).toContain("Did you mean 'flown'?");
  const misspelt = await moraine(['push', 'flown', 'next.csv', '--to', 'both'], { cwd: folder });
  expect(misspelt.code).toBe(2);
});
