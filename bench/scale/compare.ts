/** Measured runs beside what the model predicts of them. */
import {
  type Coefficients,
  type Cost,
  MATERIALIZATION,
  type MaterializationFacts,
  materializationCost,
  RETRIEVAL,
  type RetrievalFacts,
  retrievalCost,
} from '../../estimates/index.js';
import type { Measurement } from '../job.js';
import { unflattened } from './flat.js';

/** How far a prediction may be off, in both directions. */
export const WITHIN = 1.5;

export type Medians = Readonly<Record<string, Measurement>>;

/** A run, measured and predicted. */
export interface ComparedRun {
  readonly name: string;
  readonly isLocal: boolean;
  readonly measured: Measurement;
  readonly predicted: Cost;
}

/** The coefficients of both kinds of runs. */
export interface Fitted {
  readonly materialization: Coefficients;
  readonly retrieval: Coefficients;
}

export const isRetrieval = (name: string): boolean => name.startsWith('retrieve ');

/** @param fitted those of this version unless given */
export function compared(
  medians: Medians,
  fitted: Fitted = { materialization: MATERIALIZATION, retrieval: RETRIEVAL },
): readonly ComparedRun[] {
  return Object.entries(medians).map(([name, measured]) => ({
    name,
    isLocal: name.endsWith(', local'),
    measured,
    predicted: isRetrieval(name)
      ? retrievalCost(unflattened<RetrievalFacts>(measured.extra), fitted.retrieval)
      : materializationCost(unflattened<MaterializationFacts>(measured.extra), fitted.materialization),
  }));
}

/** Measured over predicted. */
export function ratiosOf({ measured, predicted }: ComparedRun) {
  const { extra } = measured;
  const over = (name: string, value: number): number => (extra[`traffic.${name}`] ?? Number.NaN) / value;
  return {
    CPU: [measured.cpuSeconds / predicted.cpuSeconds],
    bytes: [over('readBytes', predicted.readBytes), over('writtenBytes', predicted.writtenBytes)],
    requests: [over('requests', predicted.requests)],
  } as const;
}

/** Bytes are within it if those read and those written are, each for itself. Local runs ask nothing of a store. */
export function within(run: ComparedRun, what: 'CPU' | 'bytes' | 'requests'): boolean {
  if (run.isLocal && what !== 'CPU') return true;
  return ratiosOf(run)[what].every((ratio) => ratio <= WITHIN && ratio >= 1 / WITHIN);
}
