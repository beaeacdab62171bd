/** The time zone of the machine changes nothing: times without a zone are UTC, also those that some zone's clocks skip. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openProject } from '../../project/index.js';
import { moraineOk } from '../support/cli.js';
import { sparkMetadata } from '../support/spark-tables.js';

const ROWS = [
  'k,at,zoned,day,v',
  // Skipped in St John's, and the hour that comes twice.
  '1,2001-04-01T00:31:00,2001-04-01T00:31:00Z,2001-04-01,1',
  '1,2001-10-28T00:01:30.000001,2001-10-28T00:01:30+05:45,2001-10-28,2',
  '2,1969-12-31T23:59:59.999999,1969-12-31T23:59:59.999999-03:30,1969-12-31,3',
].join('\n');

const DEFINITIONS = `
entities: [{ name: thing, joinKeys: [k] }]
featureViews: [{ name: view, entities: [thing], source: { table: t.rows, timestampField: at }, ttl: 1h, features: [v] }]
`;

/** The last microsecond of the ttl, and the first one after it; one time with an offset. */
const ENTITIES =
  'k,event_timestamp\n1,2001-04-01T01:31:00\n1,2001-04-01T01:31:00.000001\n2,1970-01-01 00:59:59.999999\n';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-zone-')));
  writeFileSync(join(folder, 'moraine.yaml'), '');
  writeFileSync(join(folder, 'rows.csv'), `${ROWS}\n`);
  writeFileSync(join(folder, 'definitions.yaml'), DEFINITIONS);
  writeFileSync(join(folder, 'entities.csv'), ENTITIES);
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each(['America/St_Johns', 'Asia/Kathmandu'])('with TZ=%s', async (zone) => {
  const run = (...args: string[]): Promise<string> => moraineOk(args, { cwd: folder, env: { TZ: zone } });
  await run('table', 'append', 't.rows', 'rows.csv', '--create', '--partition', 'day(at), hour(zoned)');
  const lines = [
    '{"k":1,"at":"2001-04-01T00:31:00.000000","zoned":"2001-04-01T00:31:00.000000Z","day":"2001-04-01","v":1}',
    '{"k":1,"at":"2001-10-28T00:01:30.000001","zoned":"2001-10-27T18:16:30.000000Z","day":"2001-10-28","v":2}',
    '{"k":2,"at":"1969-12-31T23:59:59.999999","zoned":"1970-01-01T03:29:59.999999Z","day":"1969-12-31","v":3}',
  ];
  expect((await run('table', 'scan', 't.rows')).split('\n').slice(0, -1).sort()).toEqual([...lines].sort());
  const where = "at = TIMESTAMP '2001-04-01 00:31:00' OR zoned = '1970-01-01T03:29:59.999999' OR day = '2001-10-28'";
  expect((await run('table', 'scan', 't.rows', '--where', where)).split('\n').slice(0, -1).sort()).toEqual(
    [...lines].sort(),
  );
  await run('apply', 'definitions.yaml');
  expect(await run('features', 'historical', '--features', 'view:v', '--entities', 'entities.csv')).toBe(
    '{"k":1,"event_timestamp":"2001-04-01T01:31:00.000000","v":1}\n' +
      '{"k":1,"event_timestamp":"2001-04-01T01:31:00.000001","v":null}\n' +
      '{"k":2,"event_timestamp":"1970-01-01T00:59:59.999999","v":3}\n',
  );
});

it('tables of Spark with delete files: the same bytes in every zone', { timeout: 240_000 }, async () => {
  const evolved = sparkMetadata('evolved_spec');
  const equality = sparkMetadata('equality_deletes');
  writeFileSync(join(folder, 'moraine.yaml'), `storage: { roots: [${folder}, ${evolved.split('/db/')[0]}] }\n`);
  const project = await openProject({ cwd: folder });
  const catalog = await project.catalog();
  await catalog.createNamespace(['t']);
  await catalog.registerTable({ namespace: ['t'], name: 'spark' }, evolved);
  await project.close();
  writeFileSync(
    join(folder, 'definitions.yaml'),
    DEFINITIONS.replace('[k]', '[id]').replace('t.rows', 't.spark').replace('[v]', '[text]'),
  );
  // At its time, a microsecond before it, and at the time of a row that is deleted.
  const entities = [
    'id,event_timestamp',
    '21,1969-12-30T21:30:00',
    '40,1969-12-31T16:29:59.999999',
    '20,1969-12-30T20:30:00',
  ];
  writeFileSync(join(folder, 'entities.csv'), `${entities.join('\n')}\n`);
  await moraineOk(['apply', 'definitions.yaml'], { cwd: folder });
  const answers: string[][] = [];
  for (const TZ of ['UTC', 'America/St_Johns', 'Asia/Kathmandu']) {
    const run = (...args: string[]): Promise<string> => moraineOk(args, { cwd: folder, env: { TZ } });
    answers.push([
      await run('table', 'scan', evolved, '--where', "at < '1969-12-30T02:00:00Z'"),
      await run('table', 'scan', equality),
      await run('features', 'historical', '--features', 'view:text', '--entities', 'entities.csv'),
    ]);
  }
  const lines = answers[0]?.map((answer) => answer.split('\n').slice(0, -1));
  expect(lines?.[0]?.toSorted()).toEqual([
    '{"id":0,"text":"v0","day":"1969-12-30","at":"1969-12-30T00:30:00.000000Z"}',
    '{"id":1,"text":"v1","day":"1969-12-31","at":"1969-12-30T01:30:00.000000Z"}',
  ]);
  expect(lines?.[1]).toHaveLength(16);
  expect(lines?.[2]).toEqual([
    '{"id":21,"event_timestamp":"1969-12-30T21:30:00.000000","text":"v21"}',
    '{"id":40,"event_timestamp":"1969-12-31T16:29:59.999999","text":null}',
    '{"id":20,"event_timestamp":"1969-12-30T20:30:00.000000","text":null}',
  ]);
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);
});
