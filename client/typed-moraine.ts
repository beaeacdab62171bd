/** A client that knows the project's definitions: what it is asked, and what it answers, is typed by them. Types only. */
import type { DatasetRecord, Explanation } from '../features/index.js';
import type { BackfillResult, MaterializeResult } from '../workers/index.js';
import type { BackfillOptions, BackfillRequest } from './backfill.js';
import type { SaveDatasetRequest } from './datasets.js';
import type { FeatureReader } from './feature-reader.js';
import type { HistoricalAnswer, HistoricalFeaturesRequest } from './historical-features.js';
import type { MaterializeOptions, MaterializeRequest } from './materialize.js';
import type { HistoricalFeaturesTable, Moraine } from './moraine.js';
import type { NamedOnlineResponse } from './online-features.js';
import type { StartedRun } from './temporal-run.js';
import type { SaveTrainingSetRequest, TrainingSetOptions } from './training-sets.js';
import type {
  KnownDefinitions,
  OnlineRowOf,
  RequestedFeatureOf,
  RequestedService,
  RequestedView,
  TypedOnlineRequest,
  ViewName,
} from './typed-requests.js';

export type { KnownDefinitions } from './typed-requests.js';

/**
 * A {@link Moraine} whose requests name known views, services and features only, and whose online answers have their types. It is a type of
 * its own and not a parameter of {@link Moraine}, so that functions which take a {@link Moraine} take it, too.
 */
export type TypedMoraine<Known extends KnownDefinitions> = Omit<Moraine, keyof TypedMethods<Known>> &
  TypedMethods<Known>;

/** A request for features, held to the known ones. */
type Retrieval<Known extends KnownDefinitions, Request> = Omit<Request, 'features' | 'service'> & {
  readonly features?: readonly RequestedFeatureOf<Known>[];
  readonly service?: RequestedService<Known>;
};

type Materialization<Known extends KnownDefinitions> = MaterializeRequest & { readonly view: ViewName<Known> };

type Backfill<Known extends KnownDefinitions> = Omit<BackfillRequest, 'view' | 'trainingSet'> & {
  readonly view?: ViewName<Known>;
  readonly trainingSet?: Retrieval<Known, SaveTrainingSetRequest>;
};

/** The methods of {@link Moraine} whose requests name views, services or features. */
interface TypedMethods<Known extends KnownDefinitions> {
  getOnlineFeatures<
    const Features extends readonly RequestedFeatureOf<Known>[] = never,
    const ServiceAsked extends RequestedService<Known> = never,
    const ViewAsked extends RequestedView<Known> = never,
    const FullNames extends boolean = false,
  >(
    request: TypedOnlineRequest<Features, ServiceAsked, ViewAsked, FullNames>,
  ): Promise<NamedOnlineResponse<OnlineRowOf<Known, Features, ServiceAsked, ViewAsked, FullNames>>>;
  getHistoricalFeatures(request: Retrieval<Known, HistoricalFeaturesRequest>): Promise<HistoricalFeaturesTable>;
  openHistoricalFeatures(
    request: Retrieval<Known, HistoricalFeaturesRequest>,
  ): Promise<FeatureReader<HistoricalAnswer>>;
  explainHistoricalFeatures(request: Retrieval<Known, HistoricalFeaturesRequest>): Promise<Explanation>;
  saveDataset(request: Retrieval<Known, SaveDatasetRequest>): Promise<DatasetRecord>;
  saveTrainingSet(
    request: Retrieval<Known, SaveTrainingSetRequest>,
    options?: TrainingSetOptions,
  ): Promise<DatasetRecord>;
  startTrainingSet(request: Retrieval<Known, SaveTrainingSetRequest>): Promise<StartedRun>;
  materialize(request: Materialization<Known>, options?: MaterializeOptions): Promise<MaterializeResult>;
  startMaterialize(request: Materialization<Known>): Promise<StartedRun>;
  backfill(request: Backfill<Known>, options?: BackfillOptions): Promise<BackfillResult>;
  startBackfill(request: Backfill<Known>): Promise<StartedRun>;
  planBackfill(request: Backfill<Known>): ReturnType<Moraine['planBackfill']>;
}
