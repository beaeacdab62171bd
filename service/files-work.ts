/** The files of a table's snapshot as JSON. Runs in a process of its own: a table may have very many. */
import { listTableFiles, type TableFiles, type TableFilesRequest } from '../client/index.js';
import { countText } from '../errors/index.js';
import { type JsonObject, stringifyJson } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import type { OfflineOutput } from './offline-output.js';

/** Files whose text is one part of the answer. */
const FILES_OF_PART = 1_000;

/** Writes the whole answer. @throws as `listTableFiles` */
export async function answerFiles(project: Project, work: TableFilesRequest, output: OfflineOutput): Promise<void> {
  const found = await listTableFiles(project, work);
  const { table, snapshotId, files, deleteFiles } = found;
  output.begin({ rows: files.length, snapshots: new Map(snapshotId === null ? [] : [[table, snapshotId]]) });
  const snapshot = snapshotId === null ? null : String(snapshotId);
  const head = stringifyJson({ table, snapshot, warning: warningFor(found) });
  const write = (text: string): Promise<void> => output.write(Buffer.from(text));
  await write(`${head.slice(0, -1)},"files":[`);
  for (const part of listJson(files)) await write(part);
  await write('],"deleteFiles":[');
  for (const part of listJson(deleteFiles)) await write(part);
  await write(']}');
}

function* listJson(list: readonly JsonObject[]): Generator<string> {
  for (let from = 0; from < list.length; from += FILES_OF_PART) {
    const part = list.slice(from, from + FILES_OF_PART).map((file) => stringifyJson(file));
    yield `${from === 0 ? '' : ','}${part.join(',')}`;
  }
}

/** Null if the data files have the rows of the table and no others. */
function warningFor({ files }: TableFiles): string | null {
  const count = files.filter((file) => 'deletedBy' in file).length;
  if (count === 0) return null;
  const subject = count === 1 ? '1 of these files has' : `${countText(count)} of these files have`;
  return `${subject} deleted rows; deletedBy names the delete files. Whoever reads the data files alone gets deleted rows, too. Read the table as Iceberg, or compact it.`;
}
