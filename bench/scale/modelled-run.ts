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
  return runs.map(([, measured]) =>
    wantsRetrievals ? modelled(measured, OF_RETRIEVALS) : modelled(measured, OF_MATERIALIZATIONS),
  );
}

/** The model of one kind of runs. */
interface Model<Facts> {
  readonly causesOf: (facts: Facts) => Causes;
  readonly readsOf: (facts: Facts) => RunReads;
  readonly outputOf: (facts: Facts) => ModelledRun['output'];
  readonly costOf: (facts: Facts, known: Coefficients) => Cost;
}

const OF_MATERIALIZATIONS: Model<MaterializationFacts> = {
  causesOf: materializationCauses,
  readsOf: materializationReads,
  outputOf: materializedOutput,
  costOf: materializationCost,
};

const OF_RETRIEVALS: Model<RetrievalFacts> = {
  causesOf: retrievalCauses,
  readsOf: retrievalReads,
  outputOf: retrievedOutput,
  costOf: retrievalCost,
};

function modelled<Facts extends { readonly shards: number; readonly isRemote: boolean }>(
  measured: Measurement,
  { causesOf, readsOf, outputOf, costOf }: Model<Facts>,
): ModelledRun {
  const facts = unflattened<Facts>(measured.extra);
  const { shards, isRemote } = facts;
  const costWith = (known: Coefficients): Cost => costOf(facts, known);
  return {
    measured,
    causes: causesOf(facts),
    shards,
    isRemote,
    reads: readsOf(facts),
    output: outputOf(facts),
    costWith,
  };
}
