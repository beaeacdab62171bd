/** A training set that a command fills window by window: `--training-set` and the options that describe it. */
import type { SaveTrainingSetRequest } from '../../client/index.js';
import { MoraineError } from '../../errors/index.js';
import type { Project } from '../../project/index.js';
import { type AsOfOptions, chosenStates } from './as-of-option.js';
import { featureSelection } from './feature-selection.js';

export interface TrainingSetOptions extends AsOfOptions {
  readonly trainingSet?: string;
  readonly features?: string;
  readonly entitiesTable?: string;
  readonly saveAs?: string;
  readonly fullNames?: boolean;
  readonly knownAsOf?: boolean;
  readonly pin?: boolean;
}

/** Undefined without `--training-set`. @throws INVALID_ARGUMENT naming options that are missing or need it */
export async function trainingSetOption(
  project: Project,
  options: TrainingSetOptions,
): Promise<SaveTrainingSetRequest | undefined> {
  const { trainingSet, features, entitiesTable, saveAs, fullNames, knownAsOf, pin } = options;
  if (trainingSet === undefined) {
    refuseOthers(options);
    return undefined;
  }
  if (features === undefined || entitiesTable === undefined || saveAs === undefined) {
    throw invalid('--training-set needs --features, --entities-table and --save-as');
  }
  if (/\.parquet$/i.test(saveAs)) throw invalid('--training-set is saved as a table, not as a file');
  const { sources, entitySources } = chosenStates(options);
  return {
    ...(await featureSelection(project, features)),
    entities: { table: entitiesTable, ...(entitySources === undefined ? {} : { asOf: entitySources }) },
    fullFeatureNames: fullNames === true,
    knownAsOf: knownAsOf === true,
    ...(sources === undefined ? {} : { asOf: sources }),
    saveAs: { name: trainingSet, to: { table: saveAs }, pin: pin === true },
  };
}

function refuseOthers({
  features,
  entitiesTable,
  saveAs,
  fullNames,
  knownAsOf,
  pin,
  ...states
}: TrainingSetOptions): void {
  const { asOf, ref, snapshot } = states;
  const given = Object.entries({
    '--features': features,
    '--entities-table': entitiesTable,
    '--save-as': saveAs,
    '--full-names': fullNames,
    '--known-as-of': knownAsOf,
    '--pin': pin,
    '--as-of': asOf,
    '--ref': ref,
    '--snapshot': snapshot,
  }).find(([, value]) => value !== undefined);
  if (given !== undefined) throw invalid(`${given[0]} goes with --training-set`);
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
