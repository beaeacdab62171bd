/**
 * Settings of a worker for the workflow code that it runs, written in front of the bundle's code. Nothing here may decide what a workflow
 * does or in which order, because another worker, with other settings, may replay it.
 */
export interface SandboxSettings {
  /** Which activities go to task queues of their own; all others go to the workflow's. */
  readonly queues?: readonly { readonly taskQueue: string; readonly activities: readonly string[] }[];
  /** Whether messages and stack traces of failures are put where the payload codec encrypts them. */
  readonly encodesFailures: boolean;
  /** Whether the worker belongs to a version of a deployment. */
  readonly isVersioned: boolean;
}

/** Name of the global variable that holds the settings. */
export type SettingsVariable = '__moraineSandboxSettings';

/** The settings of the worker that runs this code; undefined where the code was bundled by somebody else. */
export function sandboxSettings(): SandboxSettings | undefined {
  const variable: SettingsVariable = '__moraineSandboxSettings';
  return (globalThis as { readonly [variable]?: SandboxSettings })[variable];
}
