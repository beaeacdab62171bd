/** Why the stored values of a view do not answer a request. */
import { didYouMean, MoraineError } from '../errors/index.js';
import type { Definitions } from '../features/index.js';
import type { NestedField } from '../iceberg/index.js';
import type { OnlineView } from './online-view.js';
import type { SelectedView } from './select-features.js';
import { addedFeatures, addedText, definitionChanges, type LoadSource } from './stored-definition.js';
import type { ColumnChanges } from './view-columns.js';

/** Compares views with their definitions, each state once for the same definitions. */
export class ViewRefusals {
  readonly #loadSource: LoadSource | undefined;
  readonly #changes = new WeakMap<OnlineView, { readonly definitions: Definitions; readonly changes: ColumnChanges }>();

  constructor(loadSource: LoadSource | undefined) {
    this.#loadSource = loadSource;
  }

  /** The error of a request that the view does not answer; null if it does. */
  async refusalOf(loaded: OnlineView, selection: SelectedView, definitions: Definitions): Promise<MoraineError | null> {
    const { view, features = view.features?.map(({ name }) => name) } = selection;
    const { metadata } = loaded.table;
    const known = this.#changes.get(loaded);
    const changes =
      known?.definitions === definitions
        ? known.changes
        : await definitionChanges(metadata, view, definitions, this.#loadSource);
    this.#changes.set(loaded, { definitions, changes });
    const absent = absentFeatures(selection, loaded);
    const added = absent.length === 0 ? [] : await addedFeatures(metadata, view, definitions, this.#loadSource);
    const texts = [
      ...redefinitions(changes, features),
      ...absent.filter((name) => added.includes(name)).map(addedText),
    ];
    if (texts.length > 0) return redefinedError(view.name, texts);
    return absent[0] === undefined ? null : unknownFeature(absent[0], selection, loaded);
  }
}

/** @param asked names of the features to read; undefined: all that are stored */
function redefinitions(changes: ColumnChanges, asked: readonly string[] | undefined): readonly string[] {
  const changed = [...changes.features].flatMap(([name, text]) => (asked?.includes(name) === false ? [] : [text]));
  return [...changes.everywhere, ...changed];
}

/** The error of a view whose stored values are those of another definition. @param texts the changes, as clauses of a sentence */
export function redefinedError(view: string, texts: readonly string[]): MoraineError {
  return new MoraineError(
    'MATERIALIZATION_REQUIRED',
    `Feature view '${view}' was redefined since it was last materialized: ${texts.join('; ')}. Run \`moraine materialize ${view}\`.`,
    { details: { view, changes: texts } },
  );
}

function unknownFeature(name: string, selection: SelectedView, view: OnlineView): MoraineError {
  const known = answerable(selection, view).map((field) => field.name);
  const message = `Feature view '${selection.view.name}' has no materialized feature '${name}'. ${didYouMean(name, known)}`;
  return new MoraineError('FEATURE_NOT_FOUND', message);
}

/** Stored features that the view still has. A view of all columns has what is stored. */
export function answerable({ view: { features } }: SelectedView, { columns }: OnlineView): readonly NestedField[] {
  return columns.features.filter(({ name }) => features?.some((feature) => feature.name === name) ?? true);
}

/** Names that the request asks for, each once, and that no stored feature answers. */
function absentFeatures(selection: SelectedView, view: OnlineView): readonly string[] {
  const known = new Set(answerable(selection, view).map(({ name }) => name));
  return [...new Set(selection.features)].filter((name) => !known.has(name));
}
