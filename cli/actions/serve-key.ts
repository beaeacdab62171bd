import { MoraineError } from '../../errors/index.js';
import type { Project } from '../../project/index.js';
import { createApiKey, deleteApiKey, readKeyFile, SCOPES, type Scope } from '../../service/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { formatColumns } from '../output/output.js';

/** Makes an API key and prints it. */
export async function serveKeyCreate(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly scope: string; readonly json?: boolean },
): Promise<void> {
  const [name = ''] = operands;
  if (name === '') throw new MoraineError('INVALID_ARGUMENT', 'The name of a key must not be empty.');
  const scopes = parseScopes(options.scope);
  await withProject(context, async (project) => {
    const key = await createApiKey(keyFile(project), name, scopes);
    if (options.json === true) await printJson(context, { key, name, scopes });
    else await context.stdout.write(`${key}\n`);
  });
}

/** Prints the API keys without their hashes. */
export async function serveKeyList(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  await withProject(context, async (project) => {
    const keys = await readKeyFile(keyFile(project));
    const shown = keys.map(({ id, name, scopes, createdAt }) => ({ id, name, scopes, createdAt }));
    if (options.json === true) await printJson(context, shown);
    else {
      const rows = shown.map(({ id, name, scopes, createdAt }) => [id, name, scopes.join(','), createdAt]);
      await context.stdout.write(formatColumns(['id', 'name', 'scopes', 'created'], rows));
    }
  });
}

/** Deletes an API key. */
export async function serveKeyDelete(context: CommandContext, operands: readonly string[]): Promise<void> {
  const [id = ''] = operands;
  await withProject(context, async (project) => {
    await deleteApiKey(keyFile(project), id);
    await context.stdout.write(`Deleted ${id}.\n`);
  });
}

/** @throws CONFIG_INVALID */
function keyFile({ config }: Project): string {
  const { keyFile } = config.server;
  if (keyFile !== undefined) return keyFile;
  throw new MoraineError('CONFIG_INVALID', 'The configuration names no file of API keys (server.keys).', {
    remedy: 'Add it to moraine.yaml: `server: { keys: api-keys.json }`.',
  });
}

function parseScopes(text: string): readonly Scope[] {
  return text.split(',').map((name) => {
    const scope = SCOPES.find((known) => known === name.trim());
    if (scope !== undefined) return scope;
    throw new MoraineError('INVALID_ARGUMENT', `--scope ${JSON.stringify(text)}: the scopes are ${SCOPES.join(', ')}.`);
  });
}
