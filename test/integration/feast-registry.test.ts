/** `moraine serve --feast-registry FILE`: the file is whole at every moment, while definitions change. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readFileRegistry } from '../../feast/file-registry.js';
import { moraineOk } from '../support/cli.js';
import { startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';

/** Views that each apply adds: a registry that takes a while to write. */
const VIEWS_OF_APPLY = 60;
const APPLIES = 3;

test('a reader finds each state of the definitions whole, one after the other', async () => {
  const small = await SmallProject.create({ view: 'readings' });
  const { folder } = small;
  const path = join(folder, 'repository.db');
  const definitions = (views: number) => ({
    entities: [{ name: 'sensor', joinKeys: ['sensor'] }],
    featureViews: [
      'readings',
      ...Array.from({ length: views }, (_, place) => `view_${String(place).padStart(4, '0')}`),
    ].map((name) => ({
      ...{ name, entities: ['sensor'], features: ['reading'], online: false, description: 'x'.repeat(10_000) },
      source: { table: small.table, timestampField: 'event_ts' },
    })),
  });
  const apply = async (views: number): Promise<void> => {
    writeFileSync(join(folder, 'definitions.yaml'), stringify(definitions(views)));
    await moraineOk(['apply', 'definitions.yaml'], { cwd: folder });
  };
  await apply(0);
  const service = await startServiceProcess(folder, '--feast-registry', path, '--feast-project', 'demo');
  // It is there before the service listens.
  const seen = [viewsOf(path)];
  expect(seen).toEqual([['readings']]);
  let isDone = false;
  const applying = (async () => {
    for (let times = 1; times <= APPLIES; times += 1) {
      await apply(times * VIEWS_OF_APPLY);
      await expect
        .poll(() => readFileSync(path).includes(`view_${String(times * VIEWS_OF_APPLY - 1).padStart(4, '0')}`), {
          timeout: 120_000,
        })
        .toBe(true);
    }
  })().finally(() => {
    isDone = true;
  });
  applying.catch(() => undefined);
  let last = readFileSync(path);
  while (!isDone) {
    const until = performance.now() + 2;
    while (performance.now() < until) {
      const found = readFileSync(path);
      if (found.equals(last)) continue;
      last = found;
      seen.push(viewsOf(path));
    }
    await sleep(1);
  }
  await applying;
  expect(seen.map(({ length }) => length)).toEqual(
    Array.from({ length: APPLIES + 1 }, (_, times) => 1 + times * VIEWS_OF_APPLY),
  );
  for (const views of seen) expect(views).toEqual(definitions(views.length - 1).featureViews.map(({ name }) => name));
  expect(readdirSync(folder).filter((name) => name.startsWith('repository.db'))).toEqual(['repository.db']);
  expect(await service.stop()).toBe(0);
});

/** The names of the views in a registry file. @throws if it is not whole */
function viewsOf(path: string): readonly string[] {
  return readFileRegistry(path, 'demo')
    .featureViews.map(({ name }) => name)
    .sort((a, b) => (a < b ? -1 : 1));
}
