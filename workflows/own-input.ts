import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import { inputTooLarge } from '../errors/index.js';

/** What a workflow was started with, for the activity that checks it. @throws LIMIT_EXCEEDED if no activity could take it */
export function ownInput(input: unknown): unknown {
  const message = inputTooLarge(workflowInfo().workflowType, input);
  if (message === null) return input ?? null;
  throw ApplicationFailure.create({ message, type: 'LIMIT_EXCEEDED', nonRetryable: true });
}
