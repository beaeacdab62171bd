/** Links to pages of the web UI, for the current details, which it renders as Markdown. */
import { workflowInfo } from '@temporalio/workflow';

/** A link to a run's page; without its run id to the latest of the workflow id. */
export function runLink({ workflowId, runId }: { readonly workflowId: string; readonly runId?: string }): string {
  return link(workflowId, ['workflows', workflowId, ...(runId === undefined ? [] : [runId])]);
}

/** A link to a schedule's page. */
export const scheduleLink = (id: string): string => link(id, ['schedules', id]);

/** From the root of the web UI, whatever its address is. */
function link(text: string, path: readonly string[]): string {
  const parts = ['namespaces', workflowInfo().namespace, ...path].map(inMarkdown);
  return `[\`${text}\`](/${parts.join('/')})`;
}

/** A part of a path; parentheses would end the link. */
function inMarkdown(part: string): string {
  return encodeURIComponent(part).replaceAll('(', '%28').replaceAll(')', '%29');
}
