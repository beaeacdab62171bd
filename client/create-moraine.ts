/** Opening a project as a client. */
import { arrowTable } from '../engine/index.js';
import { collectDefinitions, type Definitions, parseDefinitions } from '../features/index.js';
import type { LoggedFeatures } from '../logging/index.js';
import { type OpenProjectOptions, openProject, type Project } from '../project/index.js';
import { appendFile } from './append-file.js';
import { applyDefinitions } from './apply-definitions.js';
import { backfill, planBackfillOf, startBackfill } from './backfill.js';
import { changeProjectBackfillConcurrency, controlProjectBackfill, retryProjectBackfill } from './backfill-control.js';
import { compact, planCompact, startCompact } from './compact.js';
import { createTable } from './create-table.js';
import { listDatasets, replay, saveFeatures } from './datasets.js';
import { deleteTableRows } from './delete-table-rows.js';
import { describeView } from './describe-view.js';
import { estimate } from './estimate.js';
import { openReader } from './feature-reader.js';
import { guardCalls } from './guarded-calls.js';
import { explainFeatures, openHistoricalFeatures, withHistoricalFeatures } from './historical-features.js';
import { changeProjectIngestBatch, controlProjectIngest, projectIngestStatus, startProjectIngest } from './ingest.js';
import { listTables } from './list-tables.js';
import { compareLog, openFeatureLogger, withLoggedFeatures, writeLog } from './logged-features.js';
import { maintain, planMaintain, startMaintain } from './maintain.js';
import { materialize, startMaterialize } from './materialize.js';
import type { DefinitionsInput, HistoricalFeaturesTable, LoggedAnswer, Moraine } from './moraine.js';
import { moveTableTo } from './move-table.js';
import { ProjectReader, withNamedRows } from './online-features.js';
import { listProjectRuns, showProjectRun, waitForProjectRun } from './project-runs.js';
import {
  backfillProjectSchedule,
  createProjectSchedule,
  deleteProjectSchedule,
  describeProjectSchedule,
  listProjectSchedules,
  pauseProjectSchedule,
  resumeProjectSchedule,
  triggerProjectSchedule,
} from './project-schedules.js';
import { pullFeatures } from './pull-features.js';
import { push } from './push.js';
import { replayDeadLetters } from './replay-dead-letters.js';
import { checkProjectOptions } from './request-shapes.js';
import { sinkFiles } from './sink-files.js';
import { sinkKafka } from './sink-kafka.js';
import { teardownOnline } from './teardown-online.js';
import { saveTrainingSet, startTrainingSet } from './training-sets.js';
import type { KnownDefinitions, TypedMoraine } from './typed-moraine.js';
import { upgradeTable } from './upgrade-table.js';
import { onlineWriteBatch } from './write-online.js';

/** How a project is opened whose definitions are known. */
export interface TypedMoraineOptions<Known extends KnownDefinitions> extends OpenProjectOptions {
  /**
   * Definitions that the project has, for the compiler alone: a request that names another view, service or feature does not compile, and
   * the values of online reads have the declared types. `apply` registers definitions, this does not.
   */
  readonly definitions: Known;
}

/**
 * Opens a project: `moraine.yaml` here or above, another file, or a configuration given as a value. With `definitions`, requests and
 * answers are typed by them.
 *
 * @example
 * const moraine = await createMoraine({ cwd: 'shop' });
 * const { rows } = await moraine.getOnlineFeatures({ view: 'customer_activity', entities: [{ customer_id: 3 }] });
 * await moraine.close();
 * @throws `CONFIG_NOT_FOUND`, `CONFIG_INVALID`
 */
export async function createMoraine<const Known extends KnownDefinitions>(
  options: TypedMoraineOptions<Known>,
): Promise<TypedMoraine<Known>>;
export async function createMoraine(options?: OpenProjectOptions): Promise<Moraine>;
export async function createMoraine(options: OpenProjectOptions = {}): Promise<Moraine> {
  checkProjectOptions(options);
  const project = await openProject(options);
  const reader = new ProjectReader(project);
  const close = async (): Promise<void> => {
    await reader.close();
    await project.close();
  };
  return { ...guardCalls(methodsOf(project, reader), close), project };
}

/** Methods, without what only an open client has. */
type Methods = Omit<Moraine, 'project' | 'close'>;

/** The methods that work only while the client is open. */
function methodsOf(project: Project, reader: ProjectReader): Methods {
  return {
    apply: (definitions, applyOptions) => applyDefinitions(project, readDefinitions(definitions), applyOptions),
    materialize: (request, runOptions) => materialize(project, request, runOptions),
    startMaterialize: (request) => startMaterialize(project, request),
    ...operations(project),
    getOnlineFeatures: async (request) => withNamedRows(await (await reader.open()).getOnlineFeatures(request)),
    onlineWriteBatch: (request) => onlineWriteBatch(project, request),
    push: (request) => push(project, request),
    teardownOnline: (teardownOptions) => teardownOnline(project, teardownOptions),
    getHistoricalFeatures: (request) => withHistoricalFeatures(project, request, readTable),
    openHistoricalFeatures: (request) => openHistoricalFeatures(project, request),
    explainHistoricalFeatures: (request) => explainFeatures(project, request),
    saveDataset: (request) => saveFeatures(project, request),
    saveTrainingSet: (request, setOptions) => saveTrainingSet(project, request, setOptions),
    startTrainingSet: (request) => startTrainingSet(project, request),
    replayDataset: (name, replayOptions) => replay(project, name, replayOptions),
    datasets: () => listDatasets(project),
    tables: () => listTables(project),
    views: async () => byName((await registered(project)).featureViews),
    view: (name) => describeView(project, name),
    services: async () => byName((await registered(project)).featureServices),
    entities: async () => byName((await registered(project)).entities),
    pullAll: (request) => pullFeatures(project, 'all', request),
    pullLatest: (request) => pullFeatures(project, 'latest', request),
    openFeatureLogger: (service, loggerOptions) => openFeatureLogger(project, service, loggerOptions),
    writeLoggedFeatures: (service, served, writeOptions) => writeLog(project, service, served, writeOptions),
    loggedFeatures: (request) =>
      openReader<LoggedFeatures, LoggedAnswer>(
        (use) => withLoggedFeatures(project, request, use),
        ({ snapshot }) => ({ snapshotId: snapshot?.snapshotId ?? null }),
      ),
    compareLoggedFeatures: (request) => compareLog(project, request),
    createTable: async (name, table) => {
      const { catalog, identifier } = await project.resolveTable(name);
      await createTable(catalog, identifier, table);
    },
    appendFile: (name, file, appendOptions) => appendFile(project, name, file, appendOptions),
    replayDeadLetters: (name, replayOptions) => replayDeadLetters(project, name, replayOptions),
    sinkFiles: (name, inputs, sinkOptions) => sinkFiles(project, name, inputs, sinkOptions),
    sinkKafka: (name, sinkOptions) => sinkKafka(project, name, sinkOptions),
    deleteRows: (name, where, deleteOptions) => deleteTableRows(project, name, where, deleteOptions),
    upgradeTable: (name, formatVersion) => upgradeTable(project, name, formatVersion),
    moveTable: (name, moveOptions) => moveTableTo(project, name, moveOptions),
  };
}

/** Upkeep, and what goes on on a Temporal server. */
function operations(project: Project) {
  return {
    backfill: (request, options) => backfill(project, request, options),
    startBackfill: (request) => startBackfill(project, request),
    planBackfill: (request) => planBackfillOf(project, request),
    estimate: (request) => estimate(project, request),
    pauseBackfill: (id, options) => controlProjectBackfill(project, id, 'pause', options),
    resumeBackfill: (id, options) => controlProjectBackfill(project, id, 'resume', options),
    cancelBackfill: (id, options) => controlProjectBackfill(project, id, 'cancel', options),
    retryBackfill: (id, options) => retryProjectBackfill(project, id, options),
    changeBackfillConcurrency: (id, concurrency, options) =>
      changeProjectBackfillConcurrency(project, id, concurrency, options),
    startIngest: (input) => startProjectIngest(project, input),
    pauseIngest: (id, options) => controlProjectIngest(project, id, 'pause', options),
    resumeIngest: (id, options) => controlProjectIngest(project, id, 'resume', options),
    drainIngest: (id, options) => controlProjectIngest(project, id, 'drain', options),
    changeIngestBatch: (id, batch, options) => changeProjectIngestBatch(project, id, batch, options),
    ingestStatus: (id, options) => projectIngestStatus(project, id, options),
    compact: (input, options) => compact(project, input, options),
    startCompact: (input) => startCompact(project, input),
    planCompact: (input) => planCompact(project, input),
    maintain: (input, options) => maintain(project, input, options),
    startMaintain: (input) => startMaintain(project, input),
    planMaintain: (input) => planMaintain(project, input),
    createSchedule: (request, options) => createProjectSchedule(project, request, options),
    schedules: (options) => listProjectSchedules(project, options),
    schedule: (id, options) => describeProjectSchedule(project, id, options),
    pauseSchedule: (id, options) => pauseProjectSchedule(project, id, options),
    resumeSchedule: (id, options) => resumeProjectSchedule(project, id, options),
    triggerSchedule: (id, options) => triggerProjectSchedule(project, id, options),
    backfillSchedule: (id, request, options) => backfillProjectSchedule(project, id, request, options),
    deleteSchedule: (id, options) => deleteProjectSchedule(project, id, options),
    runs: (request) => listProjectRuns(project, request),
    run: (id, options) => showProjectRun(project, id, options),
    waitForRun: (id, options) => waitForProjectRun(project, id, options),
  } satisfies Partial<Methods>;
}

async function registered(project: Project): Promise<Definitions> {
  return (await (await project.registry()).read()).definitions;
}

function byName<T extends { readonly name: string }>(definitions: ReadonlyMap<string, T>): readonly T[] {
  return [...definitions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readDefinitions(input: DefinitionsInput): Definitions {
  return parseDefinitions([{ value: Array.isArray(input) ? collectDefinitions(input) : input }]);
}

async function readTable({
  connection,
  select,
  schema,
  snapshots,
}: Parameters<Parameters<typeof withHistoricalFeatures>[2]>[0]): Promise<HistoricalFeaturesTable> {
  return { table: await arrowTable(connection, `(${select})`, schema), snapshots };
}
