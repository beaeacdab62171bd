/** How failures leave the sandbox; see `SandboxSettings`. The bundler takes this file by its path. */
import { DefaultFailureConverter } from '@temporalio/common';
import { sandboxSettings } from './sandbox-settings.js';

export const failureConverter = new DefaultFailureConverter({
  encodeCommonAttributes: sandboxSettings()?.encodesFailures === true,
});
