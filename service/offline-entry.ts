/** Entry of the processes that do heavy work for the service: one order, one answer on standard output. */
import { constants, setPriority } from 'node:os';
import { streamSink } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { runBehind, threadIds } from '../processes/index.js';
import { openProject } from '../project/index.js';
import type { OfflineOutput } from './offline-output.js';
import { doOfflineWork, type OfflineNews, type OfflineOrder } from './offline-work.js';
import { continueTrace } from './tracing/continue-trace.js';

// The service that asked is gone, and nobody reads the answer.
// Ctrl-C and supervisors signal every process of a group. The service finishes this work, or ends it.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
process.once('disconnect', () => process.exit(1));
process.once('message', (order) => void answer(order as OfflineOrder));

async function answer({ config, folder, work, carrier }: OfflineOrder): Promise<void> {
  // Online reads of the service come first. On Linux a call is about one thread, and the engine's are started by others than this one.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  runBehind(threadIds());
  try {
    const project = await openProject({ config, fileFolders: [folder] });
    const stdout = streamSink(process.stdout);
    const output: OfflineOutput = {
      begin: (head) => void tell({ type: 'begun', head }),
      write: (bytes) => stdout.write(bytes),
    };
    try {
      await continueTrace(carrier, 'offline work', () => doOfflineWork(project, work, output));
    } finally {
      await project.close();
    }
    await tell({ type: 'ended' });
  } catch (thrown) {
    const error = isMoraineError(thrown) ? thrown : unexpected(thrown);
    const { code, message, remedy, details } = error;
    await tell({ type: 'failed', code, message, remedy, details });
  }
  // Output to a pipe is written at once, so that nothing of it is lost.
  process.exit();
}

function unexpected(thrown: unknown): MoraineError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new MoraineError('INTERNAL', `The process that retrieves failed: ${message}`);
}

function tell(news: OfflineNews): Promise<void> {
  return new Promise((resolve) => void process.send?.(news, undefined, undefined, () => resolve()));
}
