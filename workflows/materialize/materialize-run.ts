import {
  CancellationScope,
  CancelledFailure,
  ContinueAsNew,
  continueAsNew,
  patched,
  setHandler,
  setWorkflowOptions,
  sleep,
  upsertMemo,
} from '@temporalio/workflow';
import type {
  CommittedRun,
  ExtractedShard,
  ExtractInput,
  MaterializeResult,
  PlannedRun,
  PlanReference,
  RunInput,
  RunOutcome,
} from '../../activities/contract.js';
import { committing, discardingReduced, extraction, planning, reduction } from '../activity-policies.js';
import { isCancelled, throwIfCancelled } from '../cancellation.js';
import { requireHandedOver } from '../own-input.js';
import { commitUntilKnown } from '../parked-commit.js';
import { conflictWaitMs } from '../retry.js';
import { failureOf, failureOutcome, tellAll } from '../run-outcome.js';
import { sandboxSettings } from '../sandbox-settings.js';
import { replyToOf, requested } from '../signals.js';
import { againInput, againText, allShards } from '../training-set/all-shards.js';
import { turns } from '../turns.js';
import {
  type MaterializeReport,
  materializeReport,
  materializeResult,
  partReduced,
  passBegan,
  planMade,
  shardExtracted,
  shardsCommitted,
} from './materialize-report.js';

/** After this many conflicts in a row another writer is in the way for good. */
const MAX_CONFLICTS = 10;

/** Another writer came before the commit; or the state that was planned went while Trino was to read it. */
const NEEDS_NEW_PLAN: ReadonlySet<string> = new Set(['COMMIT_CONFLICT', 'PLAN_STALE']);

/** Cancelled while its last shard or its commit ended, a run of 0.1.0 went on to commit, and told nobody. Only such runs bear the marker. */
const HEEDS_CANCELLATION = 'heeds-cancellation';

/** A run of 0.1.0 told nobody before nobody else asked, and made all passes in one history. */
const ANSWERS_EACH_PASS = 'answers-each-pass';

/**
 * One run of a view and interval: plan, extract the shards in parallel, commit once. There is one at a time of each
 * (its workflow id names both): who asks while it is in flight joins it, and because its plan may be older than what
 * they want to see, another pass follows, which is cheap if nothing is new. Each gets the result of the first pass that began after the
 * request. A pass has a history of its own, so that none grows while people keep asking.
 */
export async function materializeRun(input: RunInput): Promise<MaterializeResult> {
  requireHandedOver('materialize', input, 'view');
  const report = materializeReport(input);
  const askers = new Askers(input.goesOn?.waiting);
  try {
    for (const _ of turns()) {
      const seen = askers.requests;
      await onePass(input, report);
      if (askers.requests > seen && !patched(ANSWERS_EACH_PASS)) continue;
      const result = report.result(materializeResult);
      if (!isCancelled() || patched(HEEDS_CANCELLATION)) await askers.tell({ status: 'completed', result }, seen);
      if (askers.requests === seen) break;
      if (patched(ANSWERS_EACH_PASS)) await goOn(input, report, askers);
    }
  } catch (error) {
    if (!(error instanceof ContinueAsNew)) await askers.tell(failureOutcome(error));
    throw error;
  }
  return report.done(materializeResult);
}

/** The callers that have asked for a run, and when. */
class Askers {
  /** By workflow id: the number of the last request. */
  readonly #last = new Map<string, number>();
  #requests = 0;

  constructor(waiting: readonly string[] = []) {
    for (const id of waiting) this.#last.set(id, 0);
    setHandler(
      requested,
      (input) => {
        const replyTo = replyToOf(input);
        this.#requests += 1;
        if (replyTo !== undefined) this.#last.set(replyTo, this.#requests);
      },
      { description: 'Asks for this run: one in flight makes another pass afterwards.' },
    );
  }

  /** Requests of this history. */
  get requests(): number {
    return this.#requests;
  }

  get waiting(): readonly string[] {
    return [...this.#last.keys()];
  }

  /** @param seen of the requests of this history only so many have been done; all unless given */
  tell(outcome: RunOutcome, seen = this.#requests): Promise<void> {
    const told = [...this.#last].filter(([, request]) => request <= seen).map(([id]) => id);
    for (const id of told) this.#last.delete(id);
    return tellAll(told, outcome);
  }
}

/** Makes the next pass in a history of its own. */
async function goOn(input: RunInput, report: MaterializeReport, askers: Askers): Promise<never> {
  throwIfCancelled();
  const result = report.result(materializeResult);
  // For those who wait for the end of this history.
  upsertMemo({ result });
  return continueAsNew<typeof materializeRun>({ ...input, goesOn: { waiting: askers.waiting, result } });
}

// A run ends on the version of the workers that it began with; longer workflows move along with the current one.
// The server takes no answer with such a behaviour from a worker without a version.
setWorkflowOptions(
  () => (sandboxSettings()?.isVersioned === true ? { versioningBehavior: 'PINNED' } : {}),
  materializeRun,
);

/** Plans, extracts and commits; plans again if another writer came in between. */
async function onePass(input: RunInput, report: MaterializeReport): Promise<void> {
  for (const conflicts of turns()) {
    report.show(passBegan);
    const { view, startUs, endUs, shards: wanted, engine } = input;
    const plan = await planning.planMaterialization({
      view,
      ...(startUs === undefined ? {} : { startUs }),
      ...(endUs === undefined ? {} : { endUs }),
      ...(wanted === undefined ? {} : { shards: wanted }),
      ...(engine === undefined ? {} : { engine }),
    });
    report.setTable(plan.onlineTable);
    report.save(planMade(plan));
    if (plan.planLocation === null) return;
    const reference = { planLocation: plan.planLocation, table: plan.onlineTable };
    const reduced: string[] = [];
    const late: string[] = [];
    try {
      const shards = await readAll(plan, reference, { reduced, late }, report);
      if (isCancelled() && patched(HEEDS_CANCELLATION)) throw new CancelledFailure('cancelled before the commit');
      report.begin('committing');
      report.show(shardsCommitted(shards, await commit(reference, shards, report)));
      return;
    } catch (error) {
      if (!NEEDS_NEW_PLAN.has(failureOf(error).code) || conflicts >= MAX_CONFLICTS) throw error;
    } finally {
      if (reduced.length > 0) await discard(reference, [...reduced, ...late]);
    }
    await sleep(conflictWaitMs(conflicts), { summary: 'Conflict: plan again on the newer table' });
  }
}

/**
 * Parts, if the plan has any, and shards. Plans that were made before there were parts have none, so that their histories stay valid.
 * @param lists gets those of the parts, which are to be discarded however this ends: `reduced`, and `late` ones, which nobody reads
 */
async function readAll(
  plan: PlannedRun,
  reference: PlanReference,
  { reduced, late }: { readonly reduced: string[]; readonly late: string[] },
  report: MaterializeReport,
): Promise<ExtractedShard[]> {
  const { parts = 0, partsAlike = false } = plan;
  if (parts === 0) return await extractAll(plan, reference, report);
  await allShards(parts, {
    input: reference,
    step: (part, isAgain) => {
      const summary = `Read: part ${part + 1} of ${parts}${againText(isAgain)}`;
      return reduction.reducePart.executeWithOptions({ summary }, [{ ...reference, part, ...againInput(isAgain) }]);
    },
    ended: ({ reducedLocation }) => {
      if (reducedLocation !== null) reduced.push(reducedLocation);
      report.show(partReduced);
    },
    late: ({ reducedLocation }) => void (reducedLocation !== null && late.push(reducedLocation)),
    areAlike: partsAlike,
  });
  return await extractAll(plan, { ...reference, reduced }, report);
}

/** Nobody reads these rows again. */
async function discard(reference: PlanReference, reduced: readonly string[]): Promise<void> {
  await CancellationScope.nonCancellable(() => discardingReduced.discardReduced({ ...reference, reduced })).catch(
    () => undefined,
  );
}

function extractAll(
  plan: PlannedRun,
  input: Omit<ExtractInput, 'shard'>,
  report: MaterializeReport,
): Promise<ExtractedShard[]> {
  return allShards(plan.shards, {
    input,
    step: (shard, isAgain) => {
      const summary = `Extract: shard ${shard + 1} of ${plan.shards}${againText(isAgain)}`;
      return extraction.extractShard.executeWithOptions({ summary }, [{ ...input, shard, ...againInput(isAgain) }]);
    },
    ended: (extracted) => report.show(shardExtracted(extracted)),
    counts: ({ rows }) => rows !== '0',
  });
}

/** A commit that has begun is finished even if the run is cancelled, so that its outcome is known. */
async function commit(
  reference: PlanReference,
  shards: readonly ExtractedShard[],
  report: MaterializeReport,
): Promise<CommittedRun> {
  const manifestLocations = shards.flatMap(({ manifestLocation }) => manifestLocation ?? []);
  return CancellationScope.nonCancellable(() =>
    commitUntilKnown(() => committing.commitMaterialization({ ...reference, manifestLocations }), report),
  );
}
