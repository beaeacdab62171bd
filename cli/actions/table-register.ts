import { ensureNamespace, isMetadataFile, newestMetadata } from '../../catalogs/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { argumentLocation } from '../options/table-argument.js';
import { printable } from '../output/output.js';

/** Points a name of the catalog at a metadata file, or at the newest one in a table's folder. */
export async function tableRegister(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  const [name = '', place = ''] = operands;
  await withProject(context, async (project) => {
    const { catalog, identifier } = await project.resolveTable(name);
    const given = argumentLocation(place);
    const location = isMetadataFile(given) ? given : (await newestMetadata(project.io, given)).location;
    await ensureNamespace(catalog, identifier.namespace);
    const { metadata, metadataLocation } = await catalog.registerTable(identifier, location);
    const snapshotId = metadata.currentSnapshotId;
    if (options.json === true) await printJson(context, { table: name, metadataLocation, snapshotId });
    else {
      await context.stdout.write(
        `Registered ${printable(name)} at ${printable(metadataLocation)}, snapshot ${snapshotId ?? 'none'}.\n`,
      );
    }
  });
}
