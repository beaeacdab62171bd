import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import { didYouMean } from '../errors/index.js';

/** The workflows that people and schedules start. */
const ENTRIES = ['materialize', 'backfill', 'trainingSet', 'compact', 'maintain', 'maintainTables', 'ingest'];

/**
 * Runs of a type that does not exist, such as a misspelt one. Temporal would try their first step for ever, so that whoever started one
 * in the web UI would see it running.
 * @throws INVALID_ARGUMENT naming the nearest workflows
 */
export async function unknownWorkflow(): Promise<never> {
  const { workflowType } = workflowInfo();
  const message = `There is no workflow ${JSON.stringify(workflowType)}. ${didYouMean(workflowType, ENTRIES)}`;
  throw ApplicationFailure.create({ message, type: 'INVALID_ARGUMENT', nonRetryable: true });
}
