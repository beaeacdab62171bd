/** Reading the files of definitions that `apply` is given. */
import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { parseYamlSource } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import { collectDefinitions, type DefinitionSource, type Definitions, parseDefinitions } from '../../features/index.js';
import { importDefinitions, isModuleFile } from './module-definitions.js';

/**
 * Reads definitions from YAML, JSON, JavaScript or TypeScript files as one set.
 *
 * @param files paths, from the working directory
 * @throws `INPUT_UNREADABLE` for a file that cannot be read or run; `DEFINITION_INVALID` listing every mistake
 */
export async function readDefinitionFiles(files: readonly string[]): Promise<Definitions> {
  const sources: DefinitionSource[] = [];
  for (const file of files) sources.push(await readSource(file));
  return parseDefinitions(sources);
}

async function readSource(file: string): Promise<DefinitionSource> {
  const path = resolve(file);
  if (isModuleFile(path)) return { file, value: moduleValue(file, await importDefinitions(path)) };
  if (!['.yaml', '.yml', '.json'].includes(extname(path).toLowerCase())) {
    throw new MoraineError(
      'INPUT_UNREADABLE',
      `${file}: definitions are YAML (.yaml, .yml), JSON (.json), JavaScript (.js, .mjs) or TypeScript (.ts, .mts)`,
    );
  }
  const source = parseYamlSource(await readText(file, path));
  if (source.problems.length > 0) {
    const lines = source.problems.map(({ line, message }) => `${file}:${line}: ${message}`);
    throw new MoraineError('DEFINITION_INVALID', lines.join('\n'), { details: { file } });
  }
  return { file, value: source.value, lineOf: (valuePath) => source.lineAt(valuePath) };
}

async function readText(file: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'there is no such file' : (error as Error).message;
    throw new MoraineError('INPUT_UNREADABLE', `cannot read ${file}: ${reason}`, { cause: error });
  }
}

/** The definitions among a module's exports; an export may be a list of them. */
function moduleValue(file: string, exports: ReadonlyMap<string, unknown>): unknown {
  const value = collectDefinitions(
    [...exports.values()].flatMap((item): unknown[] => (Array.isArray(item) ? item : [item])),
  );
  if (value.entities.length + value.featureViews.length + value.featureServices.length > 0) return value;
  throw new MoraineError(
    'INPUT_UNREADABLE',
    `${file} exports no definitions; export what defineEntity, defineFeatureView and defineFeatureService return`,
  );
}
