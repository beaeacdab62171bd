/** What a Temporal server keeps of runs. */
import { testClient, testSettings } from './temporal.js';

/** Everything that the server of this test run keeps of each run on a task queue: events, memo, search attributes; payloads as texts. */
export async function historiesOf(taskQueue: string): Promise<readonly string[]> {
  const { client } = await testClient(testSettings());
  const texts: string[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const { events } = await handle.fetchHistory();
    texts.push(
      JSON.stringify([events, await handle.describe()], (_, value: unknown) => {
        if (typeof value === 'bigint') return String(value);
        return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
      }),
    );
  }
  return texts;
}
