/** How every run shows how far it is: the `progress` query, the current details, the memo and the search attributes. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  defineQuery,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { CommitProgress, ParkedCommit, StepProgress } from '../activities/contract.js';

const VIEW = defineSearchAttributeKey('MoraineView', SearchAttributeType.KEYWORD);
const TABLE = defineSearchAttributeKey('MoraineTable', SearchAttributeType.KEYWORD);

export const progress = defineQuery<StepProgress<string>>('progress');

/** What a report knows: the answer of the query, and beside it what the details and the result need. */
export interface Reported {
  readonly progress: CommitProgress<string>;
}

/** Something that happened, as a pure function from the state before it to the state after it. */
export type Change<State extends Reported> = (state: State) => State;

/** What differs from workflow to workflow. */
export interface ReportSettings<State extends Reported> {
  /** Title of the details: what the run works on. */
  readonly subject: string;
  /** Description of the query. */
  readonly description: string;
  /** The state at the start, or where the execution before this one has left it. */
  readonly first: State;
  /** Lines of the details, each from `- ` on. */
  readonly lines: (state: State) => readonly string[];
  /** Search attributes that are known from the start. */
  readonly attributes?: { readonly view?: string | undefined; readonly table?: string };
  /** Whether the namespace has our search attributes. */
  readonly searchAttributes?: boolean;
}

/** Holds the state of a run, and shows it after every change. */
export class Report<State extends Reported> {
  readonly #settings: ReportSettings<State>;
  #state: State;

  constructor(settings: ReportSettings<State>) {
    const { first, description, attributes: { view, table } = {}, searchAttributes = false } = settings;
    this.#settings = settings;
    this.#state = first;
    setHandler(progress, () => this.#state.progress, { description });
    if (searchAttributes && view !== undefined) upsertSearchAttributes([{ key: VIEW, value: view }]);
    if (table !== undefined) this.setTable(table);
    this.show((state) => state);
  }

  get state(): State {
    return this.#state;
  }

  /** The search attribute of the table that the run writes. */
  setTable(table: string): void {
    if (this.#settings.searchAttributes === true) upsertSearchAttributes([{ key: TABLE, value: table }]);
  }

  /** Shows a change in the query and in the details; needs a worker to be read, and no event in the history. */
  show(change: Change<State>): void {
    this.#state = change(this.#state);
    const { subject, lines } = this.#settings;
    const { step, parked } = this.#state.progress;
    const parkedCommit = parked === undefined ? [] : parkedLines(parked);
    setCurrentDetails([`**${subject}**: ${step}`, '', ...lines(this.#state), ...parkedCommit].join('\n'));
  }

  /** Shows a change in the memo as well, where it outlives the worker. @param plan numbers of a plan that was just made */
  save(change: Change<State>, plan?: object): void {
    this.show(change);
    upsertMemo({ ...(plan === undefined ? {} : { plan }), progress: this.#state.progress });
  }

  begin(step: State['progress']['step']): void {
    this.show((state) => ({ ...state, progress: { ...state.progress, step } }));
  }

  /** @param parked the commit that nobody knows the outcome of; undefined once it is known */
  parked(parked: ParkedCommit | undefined): void {
    this.show((state) => ({ ...state, progress: { ...state.progress, step: stepWith(parked, state), parked } }));
    upsertMemo({ parked: parked ?? null });
  }

  /** Ends the report. @returns the result */
  done<Result>(resultOf: (state: State, workflowId: string) => Result): Result {
    this.save((state) => ({ ...state, progress: { ...state.progress, step: 'done' } }));
    return this.result(resultOf);
  }

  /** Result up to here. */
  result<Result>(resultOf: (state: State, workflowId: string) => Result): Result {
    return resultOf(this.#state, workflowInfo().workflowId);
  }
}

/** A backfill has no step of its own for commits: it works on other windows meanwhile. */
function stepWith(parked: ParkedCommit | undefined, { progress: { step } }: Reported): string {
  if (step !== 'committing' && step !== 'parked') return step;
  return parked === undefined ? 'committing' : 'parked';
}

function parkedLines({ code, reason, runKey, snapshotId }: ParkedCommit): string[] {
  return [
    '',
    `**The commit is parked (${code})**: ${reason}`,
    '',
    ...(runKey === undefined ? [] : [`- run key, in the summary of the snapshot if it landed: \`${runKey}\``]),
    ...(snapshotId === undefined ? [] : [`- snapshot: \`${snapshotId}\``]),
    '- It is looked for again by itself; the signal `retryCommit` does it now. Nothing was deleted. The run may be terminated.',
  ];
}

/** The line that says why a run changed nothing; none if it changed something. */
export const nothingToDo = (reason: string | null): readonly string[] =>
  reason === null ? [] : [`- nothing to do: ${reason}`];

/** A sum of counts that travel as text. */
export const sum = (a: string, b: string): string => String(BigInt(a) + BigInt(b));
