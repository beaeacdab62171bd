import { access, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { MoraineError } from '../../errors/index.js';
import { makeFolders } from '../../processes/index.js';
import { type CatalogChoice, catalogConfig } from '../catalog-template.js';
import type { CommandContext } from '../context.js';
import { projectTemplate } from '../project-template.js';

/**
 * Writes the files of a new project.
 *
 * @throws `FILE_ALREADY_EXISTS` naming every file that is in the way, `CONFIG_INVALID`; nothing is written then
 */
export async function init(
  context: CommandContext,
  operands: readonly string[],
  options: CatalogChoice = {},
): Promise<void> {
  const folder = resolve(operands[0] ?? '.');
  const isChosen = Object.keys(options).length > 0;
  const catalog = isChosen ? catalogConfig(options, join(folder, 'moraine.yaml')) : undefined;
  const files = [...projectTemplate(catalog)].map(([name, content]) => ({ path: join(folder, name), content }));
  const present = await existing(files.map((file) => file.path));
  if (present.length > 0) {
    const names = present.map((path) => relative(folder, path)).join(', ');
    throw new MoraineError(
      'FILE_ALREADY_EXISTS',
      `${folder} has ${names} already; remove what is in the way, or choose another folder`,
      { details: { files: present } },
    );
  }
  try {
    for (const { path, content } of files) {
      await makeFolders(dirname(path));
      await writeFile(path, content, { flag: 'wx' });
    }
  } catch (error) {
    throw new MoraineError(
      'STORAGE_UNAVAILABLE',
      `cannot write the project to ${folder}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  await context.stdout.write(nextSteps(folder));
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_, index) => found[index]);
}

function nextSteps(folder: string): string {
  const here = relative('.', folder);
  const enter = here === '' ? '' : `  cd ${/^[\w./-]+$/.test(here) ? here : `'${here.replaceAll("'", "'\\''")}'`}\n`;
  return `Made a project in ${folder}. Next:

${enter}  npx moraine table append shop.customer_orders data/customer_orders.csv --create --partition "month(event_ts)"
  npx moraine apply
  npx moraine materialize customer_activity
  npx moraine online get customer_activity --entity customer_id=3 --at 2026-01-31
  npx moraine features historical --features customer_activity:orders,customer_activity:mean_basket --entities data/entities.csv
`;
}
