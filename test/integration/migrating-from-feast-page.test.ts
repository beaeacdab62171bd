/** docs/migrating-from-feast.md is run as it stands, on the repository that the real Feast applied and tables made by PyIceberg. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { jsonLines, MAIN, moraine, moraineOk } from '../support/cli.js';
import { codeBlocks, shownPattern } from '../support/code-blocks.js';
import { PageShell } from '../support/page-shell.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop, python } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PAGE = readFileSync(join(projectRoot, 'docs/migrating-from-feast.md'), 'utf8');

/** A folder with the committed repository and its tables in `feature_repo`. */
async function repositoryFolder(): Promise<string> {
  const folder = temporaryFolder();
  cpSync(join(projectRoot, 'test/fixtures/feast/repository'), join(folder, 'feature_repo'), { recursive: true });
  await python('write_feast_tables.py', join(folder, 'feature_repo'));
  return folder;
}

describeInterop('moraine import feast', () => {
  it('does what docs/migrating-from-feast.md says', async () => {
    const folder = await repositoryFolder();
    const shell = new PageShell(folder, { TEMPORAL_ADDRESS: undefined });
    const blocks = codeBlocks(PAGE);
    let compared = 0;
    for (const [index, block] of blocks.entries()) {
      if (block.title !== undefined) writeFileSync(join(folder, block.title), block.content, { flag: 'wx' });
      if (block.language !== 'sh') continue;
      const output = await shell.run(block.content.replaceAll('npx moraine', `'${process.execPath}' '${MAIN}'`));
      const shown = blocks[index + 1]?.content ?? '';
      expect(blocks[index + 1]?.flags.has('output'), `line ${block.line} shows its output`).toBe(true);
      if (!shownPattern(shown).test(output)) expect(output, `docs/migrating-from-feast.md:${block.line}`).toBe(shown);
      compared += 1;
    }
    expect(compared).toBe(blocks.filter((block) => block.flags.has('output')).length);
    // A training set with one view under two names and other join keys: demand of zone a is 7, of zone b 8 (write_feast_tables.py).
    writeFileSync(
      join(folder, 'rides/trips.csv'),
      'origin_zone,destination_zone,event_timestamp\na,b,2026-03-01T04:00:00Z\nb,c,2026-03-01T02:00:00Z\n',
    );
    const request = ['features', 'historical', '--features', 'trip_model', '--entities', 'trips.csv', '--full-names'];
    const trips = jsonLines(await moraineOk(request, { cwd: join(folder, 'rides') }));
    expect(trips).toMatchObject([
      { origin__demand: 7, destination__demand: 8 },
      { origin__demand: null, destination__demand: null },
    ]);
  });

  it('overwrites nothing, and writes nothing when told to', async () => {
    const folder = await repositoryFolder();
    mkdirSync(join(folder, 'taken'));
    writeFileSync(join(folder, 'taken/features.yaml'), 'mine');
    const before = readdirSync(join(folder, 'feature_repo')).sort();
    const refused = await moraine(['import', 'feast', 'feature_repo', '--out', 'taken'], { cwd: folder });
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain(
      'has features.yaml already; remove what is in the way, or name another folder with --out',
    );
    expect(readdirSync(join(folder, 'taken'))).toEqual(['features.yaml']);
    expect(readFileSync(join(folder, 'taken/features.yaml'), 'utf8')).toBe('mine');

    const dry = await moraineOk(['import', 'feast', 'feature_repo', '--out', 'new', '--dry-run', '--json'], {
      cwd: folder,
    });
    expect(JSON.parse(dry)).toMatchObject({
      written: false,
      entities: ['driver', 'zone'],
      featureServices: ['driver_ranking', 'trip_model'],
      findings: expect.arrayContaining([
        {
          outcome: 'left-out',
          kind: 'feature view',
          name: 'remote_stats',
          reason:
            'its catalog feast_iceberg cannot be asked for its table: The REST catalog http://127.0.0.1:1/iceberg: bad port. Check uri and the network. [CATALOG_UNAVAILABLE]',
          remedy: 'Let it answer from here, set the variables that its options need, then import again.',
        },
      ]) as unknown,
    });
    expect(existsSync(join(folder, 'new'))).toBe(false);
    expect(readdirSync(join(folder, 'feature_repo')).sort()).toEqual(before);
  });

  it('makes no catalog that is not there, and says that views are unchecked', async () => {
    const folder = temporaryFolder();
    cpSync(join(projectRoot, 'test/fixtures/feast/repository'), join(folder, 'feature_repo'), { recursive: true });
    const printed = await moraineOk(['import', 'feast', 'feature_repo'], { cwd: folder });
    expect(printed).toContain(
      `feature view fuel_price: its table rides.fuel could not be read, so its features and types are unchecked: its catalog ${join(folder, 'feature_repo/catalog.db')} does not exist.`,
    );
    expect(existsSync(join(folder, 'feature_repo/catalog.db'))).toBe(false);
    const applied = await moraine(['apply'], { cwd: folder });
    expect(applied.code).not.toBe(0);
  });

  it('refuses a folder that is no Feast repository', async () => {
    const refused = await moraine(['import', 'feast', '.'], { cwd: temporaryFolder() });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      'has no feature_store.yaml; name the folder of a Feast repository [INPUT_UNREADABLE]',
    );
  });
});
