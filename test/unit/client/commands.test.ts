/** Every command has a counterpart in the library, or a reason why it has none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { buildProgram } from '../../../cli/program.js';
import { METHOD_ARGUMENTS } from '../../../client/request-shapes.js';
import type { Moraine } from '../../../index.js';
import type { Project } from '../../../project/index.js';
import type * as testing from '../../../testing/index.js';
import type * as worker from '../../../workers/index.js';
import { projectRoot } from '../../support/paths.js';

type Counterpart =
  | { readonly methods: readonly (keyof Moraine)[] }
  | { readonly project: keyof Project }
  | { readonly worker: keyof typeof worker }
  | { readonly testing: keyof typeof testing }
  | { readonly none: string };

const methods = (...names: readonly (keyof Moraine)[]): Counterpart => ({ methods: names });
const metadata: Counterpart = { project: 'loadTable' };

const COUNTERPARTS: Readonly<Record<string, Counterpart>> = {
  init: { none: 'makes the files of a project, before there is one to open' },
  apply: methods('apply'),
  'view list': methods('views'),
  'view show': methods('view'),
  'service list': methods('services'),
  'entity list': methods('entities'),
  'feast export': { none: 'writes files for Feast from the definitions' },
  'import feast': { none: 'writes files of definitions, which `apply` then takes' },
  materialize: methods('materialize', 'startMaterialize'),
  'online get': methods('getOnlineFeatures'),
  'online write': methods('onlineWriteBatch'),
  push: methods('push'),
  'online teardown': methods('teardownOnline'),
  'features historical': methods(
    ...(['getHistoricalFeatures', 'openHistoricalFeatures', 'explainHistoricalFeatures'] as const),
    ...(['saveDataset', 'saveTrainingSet', 'startTrainingSet'] as const),
  ),
  'features pull-latest': methods('pullLatest'),
  'features pull-all': methods('pullAll'),
  'features replay': methods('replayDataset'),
  'features datasets': methods('datasets'),
  'features logged': methods('loggedFeatures'),
  'features log-compare': methods('compareLoggedFeatures'),
  'table list': methods('tables'),
  'table create': methods('createTable'),
  'table append': methods('appendFile'),
  'sink replay': methods('replayDeadLetters'),
  'sink run': methods('sinkFiles', 'sinkKafka'),
  'ingest start': methods('startIngest'),
  'ingest pause': methods('pauseIngest'),
  'ingest resume': methods('resumeIngest'),
  'ingest drain': methods('drainIngest'),
  'ingest batch': methods('changeIngestBatch'),
  'ingest status': methods('ingestStatus'),
  'table scan': methods('pullAll'),
  'table show': metadata,
  'table files': metadata,
  'table history': metadata,
  'table delete': methods('deleteRows'),
  'table upgrade': methods('upgradeTable'),
  'table drop': { none: 'forgets a table, by hand' },
  'table move': methods('moveTable'),
  'table health': { none: 'counts, for people; planCompact and planMaintain say what would be done' },
  'table register': { none: 'repairs a catalog, by hand' },
  estimate: methods('estimate'),
  backfill: methods('backfill', 'startBackfill', 'planBackfill'),
  'backfill pause': methods('pauseBackfill'),
  'backfill resume': methods('resumeBackfill'),
  'backfill cancel': methods('cancelBackfill'),
  'backfill retry': methods('retryBackfill'),
  'backfill concurrency': methods('changeBackfillConcurrency'),
  compact: methods('compact', 'startCompact', 'planCompact'),
  maintain: methods('maintain', 'startMaintain', 'planMaintain'),
  dev: { none: 'a process of its own: a local Temporal server with a worker' },
  worker: { worker: 'createActivities' },
  serve: { none: 'a process of its own: the HTTP service' },
  'serve key create': { none: 'changes the file of the keys of the service' },
  'serve key list': { none: 'reads the file of the keys of the service' },
  'serve key delete': { none: 'changes the file of the keys of the service' },
  'codec-server': { worker: 'serveCodec' },
  'deployment set-current': { worker: 'setCurrentDeployment' },
  'project show': { project: 'knownIdentity' },
  'project new-id': { none: 'repairs a copied project, by hand' },
  'project map-locations': { none: 'repairs a moved project, by hand' },
  'cache show': { none: 'looks at the machine, for people' },
  'cache clear': { none: 'frees disk of the machine, by hand' },
  doctor: { none: 'looks at the machine, for people' },
  'workflow export': { testing: 'exportHistory' },
  'workflow replay': { testing: 'replayHistories' },
  'schedule create': methods('createSchedule'),
  'schedule list': methods('schedules'),
  'schedule describe': methods('schedule'),
  'schedule pause': methods('pauseSchedule'),
  'schedule resume': methods('resumeSchedule'),
  'schedule trigger': methods('triggerSchedule'),
  'schedule delete': methods('deleteSchedule'),
  'schedule backfill': methods('backfillSchedule'),
  runs: methods('runs'),
  'run show': methods('run', 'waitForRun'),
};

/** The commands that do something, by the words that call them. */
function commandsOf(command: Command, path: readonly string[] = []): readonly string[] {
  return command.commands.flatMap((child) => {
    const words = [...path, child.name()];
    const acts = child.commands.length === 0 || child.registeredArguments.length + child.options.length > 0;
    return [...(acts ? [words.join(' ')] : []), ...commandsOf(child, words)];
  });
}

test('every command has a counterpart in the library, or a reason why it has none', () => {
  const commands = commandsOf(buildProgram(() => Promise.resolve()));
  expect(Object.keys(COUNTERPARTS).sort()).toEqual([...commands].sort());
});

test('every method that a command has as its counterpart is there', () => {
  const named = Object.values(COUNTERPARTS).flatMap((counterpart) =>
    'methods' in counterpart ? counterpart.methods : [],
  );
  expect(named.filter((name) => !Object.hasOwn(METHOD_ARGUMENTS, name))).toEqual([]);
});

test('docs/library.md names every method', () => {
  const page = readFileSync(join(projectRoot, 'docs/library.md'), 'utf8');
  expect(Object.keys(METHOD_ARGUMENTS).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
