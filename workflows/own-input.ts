import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import { inputTooLarge } from '../errors/index.js';

/** The input of a workflow, for the activity that checks it. @throws LIMIT_EXCEEDED if no activity could take it */
export function ownInput(input: unknown): unknown {
  const message = inputTooLarge(workflowInfo().workflowType, input);
  if (message === null) return input ?? null;
  throw ApplicationFailure.create({ message, type: 'LIMIT_EXCEEDED', nonRetryable: true });
}

/**
 * For a run that an entry starts: people can start one by hand, too, without what it needs.
 * @param member of its input that it cannot be without
 * @throws INVALID_ARGUMENT naming the entry
 */
export function requireHandedOver<Input>(entry: string, input: Input, member: keyof Input & string): void {
  if (typeof (input ?? ({} as Partial<Input>))[member] === 'string') return;
  const { workflowType } = workflowInfo();
  const message = `${workflowType} has no "${member}": start \`${entry}\`, which starts it with all that it needs.`;
  throw ApplicationFailure.create({ message, type: 'INVALID_ARGUMENT', nonRetryable: true });
}
