/** The workflow bundle: the code of `workflows/` for Temporal's sandbox, made once when the package is built. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkerOptions } from '@temporalio/worker';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Where the workflows of a worker come from. */
export type WorkflowSource =
  | Required<Pick<WorkerOptions, 'workflowBundle'>>
  | Required<Pick<WorkerOptions, 'workflowsPath'>>;

/**
 * The workflow part of `Worker.create`'s options: the prebuilt bundle, or in a source tree the path to bundle from.
 *
 * @example await Worker.create({ ...workflowSource(), activities: createActivities(project), taskQueue })
 */
export function workflowSource(): WorkflowSource {
  const codePath = here('../workflow-bundle.js');
  return existsSync(codePath) ? { workflowBundle: { codePath } } : { workflowsPath: workflowsPath() };
}

/** The entry of the workflow code, to bundle it together with one's own workflows. */
export function workflowsPath(): string {
  const compiled = here('../workflows/index.js');
  return existsSync(compiled) ? compiled : here('../workflows/index.ts');
}

/** Bundles the workflows at `entry`. Fails if they import something that the sandbox does not have, such as Node's modules. */
export async function bundleWorkflows(entry: string = workflowsPath()): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({ workflowsPath: entry, logger: new DefaultLogger('ERROR') });
}

/** Writes the bundle to a file; part of the package's build. */
export async function buildWorkflowBundle(outFile: string): Promise<void> {
  const { code } = await bundleWorkflows();
  await writeFile(outFile, code);
}
