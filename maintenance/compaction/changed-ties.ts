/**
 * Whether a rewrite would change which of several tied rows a registered view serves. Rewritten files get the planning snapshot's
 * sequence number, so rows that theirs told apart are told apart by value afterwards, and win over rows of files that stay.
 */
import { type Connection, type Scan, withReadableCopies } from '../../engine/index.js';
import {
  currentSchema,
  type DataFile,
  deserializeValue,
  findField,
  isPrimitive,
  type Schema,
  snapshotById,
} from '../../iceberg/index.js';
import { fileToOpen, openFiles, whileReading } from '../../scans/index.js';
import { type PlannedFile, planFiles } from '../../tables/index.js';
import type { RewriteGroup, TieView } from './compact-plan.js';
import type { OpenGroup } from './open-group.js';
import type { StoredPlan } from './read-compaction-plan.js';
import { TiedFacts } from './tied-facts.js';

/** Files beside the group that are read by one statement. */
const FILES_AT_ONCE = 500;

/** A live file beside the group. */
interface OtherFile {
  readonly planned: PlannedFile;
  /** Whether the plan rewrites it, too. */
  readonly isRewritten: boolean;
}

/**
 * The name of the first view whose ties the rewrite of a group would change; null: none. Of files beside the group, read some at a time,
 * only the rows that tie with rows of the group are kept.
 * @param open the group
 */
export async function viewWithChangedTies(
  connection: Connection,
  plan: StoredPlan,
  index: number,
  open: OpenGroup,
): Promise<string | null> {
  if (plan.head.tieViews.length === 0) return null;
  const group = plan.group(index);
  const near = await nearFiles(plan, index, group);
  const hasOneSequence = new Set(group.files.map(({ sequenceNumber }) => sequenceNumber)).size === 1;
  if (near.length === 0 && hasOneSequence) return null;
  const schema = currentSchema(plan.table.metadata);
  const own = { ...open.scan, schema };
  const all: TiedFacts[] = [];
  try {
    for (const view of plan.head.tieViews) all.push(await TiedFacts.of(connection, view, own));
    for (const isRewritten of [true, false]) {
      const files = near.filter((file) => file.isRewritten === isRewritten).map(({ planned }) => planned);
      for (let first = 0; first < files.length; first += FILES_AT_ONCE) {
        const some = files.slice(first, first + FILES_AT_ONCE);
        await reading(connection, plan, some, async (scan) => {
          for (const facts of all) await facts.add(scan, isRewritten);
        });
      }
    }
    for (const facts of all) if (await facts.areChanged()) return facts.view.name;
    return null;
  } finally {
    for (const facts of all) await facts.drop();
  }
}

/** Files beside the group that may have rows which tie with its own in some view. */
async function nearFiles(plan: StoredPlan, index: number, group: RewriteGroup): Promise<readonly OtherFile[]> {
  const { table, head } = plan;
  const schema = currentSchema(table.metadata);
  const snapshot = snapshotById(table.metadata, head.snapshotId);
  const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
  const own = new Set(group.files.map(({ path }) => path));
  const ownFiles = files.filter(({ file }) => own.has(file.filePath)).map(({ file }) => file);
  const mayTie = head.tieViews.map((view) => sharesTimes(schema, view, ownFiles));
  const near = files.filter(({ file }) => !own.has(file.filePath) && mayTie.some((may) => may(file)));
  // Mostly there are none, and the other groups need not be parsed.
  return near.length === 0 ? [] : filesThatMatter(plan, index, near);
}

/** Opens files while they are read. */
async function reading(
  connection: Connection,
  { table }: StoredPlan,
  files: readonly PlannedFile[],
  read: (scan: Scan) => Promise<void>,
): Promise<void> {
  const open = await openFiles(connection, table, files.map(fileToOpen));
  try {
    const scan = { ...open, schema: currentSchema(table.metadata) };
    await whileReading(connection, [open], async () => read(await withReadableCopies(connection, scan)));
  } finally {
    await open.deletes?.release();
  }
}

/** Other files that matter: files that stay and whose rows win over older rows of the group, and all files that are rewritten besides. */
function filesThatMatter(plan: StoredPlan, index: number, near: readonly PlannedFile[]): readonly OtherFile[] {
  const rewritten = new Set<string>();
  for (let other = 0; other < plan.groupCount; other++) {
    if (other !== index) for (const { path } of plan.group(other).files) rewritten.add(path);
  }
  const least = plan
    .group(index)
    .files.reduce((min, file) => (file.sequenceNumber < min ? file.sequenceNumber : min), plan.head.sequenceNumber);
  return near.flatMap((planned): OtherFile[] => {
    const isRewritten = rewritten.has(planned.file.filePath);
    return isRewritten || planned.sequenceNumber >= least ? [{ planned, isRewritten }] : [];
  });
}

/** Whether a file may have an event time that some file of the group has, by their bounds. */
function sharesTimes(schema: Schema, { eventTimeId }: TieView, own: readonly DataFile[]): (file: DataFile) => boolean {
  const type = findField(schema, eventTimeId)?.type;
  if (type === undefined || !isPrimitive(type)) return () => true;
  const bound = (bounds: DataFile['lowerBounds']): bigint | null => {
    const bytes = bounds?.get(eventTimeId);
    return bytes?.length === 8 ? BigInt(deserializeValue(type, bytes) as bigint) : null;
  };
  const boundsOf = ({ lowerBounds, upperBounds }: DataFile) => [bound(lowerBounds), bound(upperBounds)] as const;
  const ownBounds = own.map(boundsOf);
  return (file) => {
    const [lower, upper] = boundsOf(file);
    if (lower === null || upper === null) return true;
    return ownBounds.some(
      ([ownLower, ownUpper]) => ownLower === null || ownUpper === null || (ownLower <= upper && lower <= ownUpper),
    );
  };
}
