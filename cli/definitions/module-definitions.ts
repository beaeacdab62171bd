/**
 * Definitions written as JavaScript or TypeScript modules. A module's definitions are its exports.
 * Node 20 runs no TypeScript by itself: a module hook turns it into JavaScript with the `typescript` package of the
 * project that the file is in. Types are not checked here; the project's own compiler does that.
 */
import { existsSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MoraineError } from '../../errors/index.js';
import type { TypescriptHookData } from './typescript-hooks.js';

const JAVASCRIPT = ['.js', '.mjs', '.cjs'];
const TYPESCRIPT = ['.ts', '.mts'];

/** Whether a file is a module, by its extension. */
export function isModuleFile(file: string): boolean {
  return [...JAVASCRIPT, ...TYPESCRIPT].includes(extname(file).toLowerCase());
}

/**
 * Runs a module and returns its exports by name.
 *
 * @param file absolute path
 * @throws `INPUT_UNREADABLE` if it does not exist, cannot be compiled or fails while it runs
 */
export async function importDefinitions(file: string): Promise<ReadonlyMap<string, unknown>> {
  if (!existsSync(file)) throw new MoraineError('INPUT_UNREADABLE', `cannot read ${file}: there is no such file`);
  registerHooks(file);
  try {
    const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
    return new Map(Object.entries(module));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MoraineError('INPUT_UNREADABLE', `cannot run ${file}: ${reason}`, { cause: error });
  }
}

let hooksFor: { readonly typescript: string | undefined } | undefined;

/** Hooks are registered once; with the first file's compiler, if there is one. */
function registerHooks(file: string): void {
  hooksFor ??= installHooks(file);
  if (!TYPESCRIPT.includes(extname(file).toLowerCase()) || hooksFor.typescript !== undefined) return;
  throw new MoraineError(
    'INPUT_UNREADABLE',
    `cannot run ${file}: TypeScript needs the typescript package; install it (npm i -D typescript), or write the definitions as YAML or JavaScript`,
  );
}

function installHooks(file: string): { readonly typescript: string | undefined } {
  const typescript = typescriptUrl(file);
  const data: TypescriptHookData = {
    // Where the file's own folder has no installed copy, `moraine` means this one.
    moraineUrl: new URL('../../index.js', import.meta.url).href,
    typescriptUrl: typescript ?? null,
  };
  register('./typescript-hooks.js', { parentURL: import.meta.url, data });
  return { typescript };
}

/** The compiler beside the file, or else beside this package. */
function typescriptUrl(file: string): string | undefined {
  for (const from of [file, import.meta.url]) {
    try {
      return pathToFileURL(createRequire(from).resolve('typescript')).href;
    } catch {
      // Not there: look in the next place.
    }
  }
  return undefined;
}
