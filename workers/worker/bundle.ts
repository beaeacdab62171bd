/** The workflow bundle: the code of `workflows/` for Temporal's sandbox, made once when the package is built. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkerOptions } from '@temporalio/worker';
import type { SandboxSettings, SettingsVariable } from '../../workflows/index.js';

/** Interceptors that keep a trace connected through workflows. */
const TRACING_INTERCEPTORS = createRequire(import.meta.url).resolve(
  '@temporalio/interceptors-opentelemetry/lib/workflow-interceptors',
);

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
export function workflowSource({ traced = false }: BundleOptions = {}): WorkflowSource {
  const codePath = here(traced ? '../../workflow-bundle-traced.js' : '../../workflow-bundle.js');
  return existsSync(codePath) ? { workflowBundle: { codePath } } : { workflowsPath: workflowsPath() };
}

/** The entry of the workflow code, to bundle it together with one's own workflows. */
export function workflowsPath(): string {
  return besideWorkflows('index');
}

/** A file of the workflows' folder, compiled or in the source tree. */
function besideWorkflows(name: string): string {
  const compiled = here(`../../workflows/${name}.js`);
  return existsSync(compiled) ? compiled : here(`../../workflows/${name}.ts`);
}

export interface BundleOptions {
  /** Whether the code has the interceptors that pass OpenTelemetry's context through workflows; it is twice as large with them. */
  readonly traced?: boolean;
}

/** Bundles the workflows at `entry`. Fails if they import something that the sandbox does not have, such as Node's modules. */
export async function bundleWorkflows(
  entry: string = workflowsPath(),
  { traced = false }: BundleOptions = {},
): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({
    workflowsPath: entry,
    failureConverterPath: besideWorkflows('failure-converter'),
    workflowInterceptorModules: [besideWorkflows('heavy-task-queue'), ...(traced ? [TRACING_INTERCEPTORS] : [])],
    logger: new DefaultLogger('ERROR'),
    // Stack traces need the lines, not the text of the sources, which would be half of the bundle, nor the folder they were built in.
    webpackConfigHook: (config) => ({
      ...config,
      devtool: 'inline-nosources-source-map',
      output: { ...config.output, devtoolModuleFilenameTemplate: '[resource-path]' },
    }),
  });
}

/** Writes the bundle to a file; part of the package's build. */
export async function buildWorkflowBundle(outFile: string, options: BundleOptions = {}): Promise<void> {
  const { code } = await bundleWorkflows(workflowsPath(), options);
  await writeFile(outFile, code);
}

/**
 * The bundle with a worker's settings in front of its code, as an option of `Worker.create`.
 *
 * @param source bundled here if it is a path
 */
export async function bundleWithSettings(
  source: WorkflowSource,
  settings: SandboxSettings,
  options: BundleOptions = {},
): Promise<{ readonly workflowBundle: { readonly code: string } }> {
  const variable: SettingsVariable = '__moraineSandboxSettings';
  const code = await codeOf(source, options);
  return { workflowBundle: { code: `globalThis.${variable} = ${JSON.stringify(settings)}; ${code}` } };
}

async function codeOf(source: WorkflowSource, options: BundleOptions): Promise<string> {
  if ('workflowsPath' in source) return (await bundleWorkflows(source.workflowsPath, options)).code;
  const { workflowBundle } = source;
  return 'code' in workflowBundle ? workflowBundle.code : readFile(workflowBundle.codePath, 'utf8');
}
