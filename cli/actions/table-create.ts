import { formatTableName } from '../../catalogs/index.js';
import { createTable } from '../../client/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { parseJson, parseSchema, type Schema } from '../../iceberg/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { readTextFile } from '../options/input-file.js';
import { printable } from '../output/output.js';

interface TableCreateOptions {
  readonly schema: string;
  readonly partition?: string;
  readonly formatVersion?: string;
  readonly json?: boolean;
}

/** Creates an empty table from an Iceberg schema. */
export async function tableCreate(
  context: CommandContext,
  operands: readonly string[],
  options: TableCreateOptions,
): Promise<void> {
  await withProject(context, async (project) => {
    const { catalog, identifier } = await project.resolveTable(operands[0] ?? '');
    const schema = await readSchema(options.schema);
    const created = await createTable(catalog, identifier, {
      schema,
      partition: options.partition,
      formatVersion: options.formatVersion === '3' ? 3 : 2,
    });
    const table = formatTableName(identifier, catalog.name);
    const { metadata, metadataLocation } = created;
    if (options.json === true) {
      await printJson(context, { table, location: metadata.location, metadataLocation, tableUuid: metadata.tableUuid });
    } else await context.stdout.write(`Created ${printable(table)} in ${printable(metadata.location)}.\n`);
  });
}

/** A schema as the Iceberg specification writes it in JSON; messages name the file. */
async function readSchema(file: string): Promise<Schema> {
  const text = await readTextFile(file);
  try {
    return parseSchema(parseJson(text));
  } catch (error) {
    if (!isMoraineError(error)) throw error;
    throw new MoraineError(error.code, `${file}: ${error.message}`, { details: error.details, cause: error });
  }
}
