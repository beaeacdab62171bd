/** A measured run with what the model knows of it. */
import {
  type Causes,
  type Coefficients,
  type Cost,
  type MaterializationFacts,
  materializationCauses,
  materializationCost,
  materializationReads,
  materializedOutput,
  type RetrievalFacts,
  type RunReads,
  retrievalCauses,
  retrievalCost,
  retrievalReads,
  retrievedOutput,
} from '../../estimates/index.js';
import type { Measurement } from '../job.js';
import { isRetrieval, type Medians } from './compare.js';
import { unflattened } from './flat.js';

export interface ModelledRun {
  readonly measured: Measurement;
  readonly causes: Causes;
  readonly shards: number;
  readonly isRemote: boolean;
  readonly reads: RunReads;
  readonly output: ReturnType<typeof materializedOutput>;
  costWith(known: Coefficients): Cost;
}

/** The runs of one kind. */
export function runsOf(medians: Medians, wantsRetrievals: boolean): readonly ModelledRun[] {
  const runs = Object.entries(medians).filter(([name]) => isRetrieval(name) === wantsRetrievals);
  return runs.map(([, measured]) => (wantsRetrievals ? retrievalRun(measured) : materializationRun(measured)));
}

function materializationRun(measured: Measurement): ModelledRun {
  const facts = unflattened<MaterializationFacts>(measured.extra);
  const { shards, isRemote } = facts;
  const [reads, output] = [materializationReads(facts), materializedOutput(facts)];
  const costWith = (known: Coefficients): Cost => materializationCost(facts, known);
  return { measured, causes: materializationCauses(facts), shards, isRemote, reads, output, costWith };
}

function retrievalRun(measured: Measurement): ModelledRun {
  const facts = unflattened<RetrievalFacts>(measured.extra);
  const { shards, isRemote } = facts;
  const [reads, output] = [retrievalReads(facts), retrievedOutput(facts)];
  const costWith = (known: Coefficients): Cost => retrievalCost(facts, known);
  return { measured, causes: retrievalCauses(facts), shards, isRemote, reads, output, costWith };
}
