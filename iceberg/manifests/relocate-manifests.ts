/**
 * Manifests, manifest lists and Avro position deletes of a table whose files have moved: what names a file, or is about a file that was
 * written anew, changes; everything else stays as its writer left it, null ids and sequence numbers included.
 * Source: Apache Iceberg specification, "Manifests", "Manifest Lists", "Position Delete Files".
 */
import { MoraineError } from '../../errors/index.js';
import type { Location } from '../../locations/index.js';
import type { AvroNode } from '../avro/avro-node.js';
import type { AvroDatum, AvroRecord } from '../avro/datum.js';
import { editAvroFile, type RecordEdit } from '../avro/edit-file.js';
import { expectBytes, expectIntMap, expectText, type FieldSlot, RecordFields } from '../avro/record-fields.js';
import { DELETE_FILE_PATH_ID } from '../deletes/delete-index.js';

/** The new location of each file. */
export type Relocate = (location: Location) => Location;

/** A delete file that was written anew, since it names data files itself. */
export interface RelocatedDeletes {
  readonly fileSizeInBytes: bigint;
  /** The first and the last path that it names, in the order of their bytes; absent: it is not known, and no bounds are kept. */
  readonly paths?: { readonly first: Location; readonly last: Location };
}

const [FILE_PATH, FILE_SIZE, CONTENT, DATA_FILE, REFERENCED] = [100, 104, 134, 2, 143];
const [COLUMN_SIZES, LOWER_BOUNDS, UPPER_BOUNDS, SPLIT_OFFSETS] = [108, 125, 128, 132];
const [MANIFEST_PATH, MANIFEST_LENGTH] = [500, 501];
const POSITION_DELETES = 1;

/**
 * The bytes of a manifest of relocated files.
 * @param location names the manifest in errors
 * @param rewritten delete files that were written anew, by their old location
 * @throws MoraineError `MANIFEST_CORRUPT`, `LIMIT_EXCEEDED`, `UNSUPPORTED_FEATURE`
 */
export function relocateManifest(
  bytes: Uint8Array,
  location: Location,
  relocate: Relocate,
  rewritten: ReadonlyMap<Location, RelocatedDeletes>,
): Uint8Array {
  return editAvroFile(bytes, location, (schema) => {
    const dataFile = requiredSlot(new RecordFields(schema), DATA_FILE);
    const edit = dataFileEdit(dataFile.node, relocate, rewritten);
    return (entry) => ({ ...entry, [dataFile.key]: edit(entry[dataFile.key] as AvroRecord) });
  });
}

function dataFileEdit(
  node: AvroNode,
  relocate: Relocate,
  rewritten: ReadonlyMap<Location, RelocatedDeletes>,
): RecordEdit {
  const fields = new RecordFields(node);
  const path = requiredSlot(fields, FILE_PATH);
  const size = requiredSlot(fields, FILE_SIZE);
  const [content, referenced] = [fields.slot(CONTENT), fields.slot(REFERENCED)];
  const bounds = [fields.slot(LOWER_BOUNDS), fields.slot(UPPER_BOUNDS)] as const;
  const outdated = [fields.slot(COLUMN_SIZES), fields.slot(SPLIT_OFFSETS)];
  return (file) => {
    const old = expectText(file[path.key], 'file_path');
    const edited: Record<string, AvroDatum> = { ...file, [path.key]: relocate(old) };
    const about = referenced === undefined ? null : file[referenced.key];
    if (referenced !== undefined && typeof about === 'string') edited[referenced.key] = relocate(about);
    if (content === undefined || file[content.key] !== POSITION_DELETES) return edited;
    const anew = rewritten.get(old);
    if (anew !== undefined) {
      edited[size.key] = anew.fileSizeInBytes;
      for (const slot of outdated) if (slot?.node.kind === 'union') edited[slot.key] = null;
    }
    return { ...edited, ...relocatedBounds(file, bounds, relocate, anew) };
  };
}

/** Bounds of the column `file_path`. Those of different paths may be cut, so that only the rows themselves tell the new ones. */
function relocatedBounds(
  file: AvroRecord,
  slots: readonly [FieldSlot | undefined, FieldSlot | undefined],
  relocate: Relocate,
  anew: RelocatedDeletes | undefined,
): Record<string, AvroDatum> {
  const [lower, upper] = slots.map((slot) => {
    const datum = slot === undefined ? null : file[slot.key];
    return slot === undefined || datum === null
      ? undefined
      : { slot, map: expectIntMap(datum, 'bounds', 'bytes', expectBytes) };
  });
  const low = lower?.map.get(DELETE_FILE_PATH_ID);
  const high = upper?.map.get(DELETE_FILE_PATH_ID);
  if (lower === undefined || upper === undefined || low === undefined || high === undefined) return {};
  // An upper bound that was cut is larger than the lower one.
  const isOne = Buffer.compare(low, high) === 0;
  const one = isOne ? relocate(Buffer.from(low).toString('utf8')) : undefined;
  const [first, last] = one === undefined ? [anew?.paths?.first, anew?.paths?.last] : [one, one];
  const withBound = (
    map: ReadonlyMap<number, Uint8Array>,
    path: string | undefined,
  ): ReadonlyMap<number, Uint8Array> => {
    const others = new Map(map);
    if (path === undefined) others.delete(DELETE_FILE_PATH_ID);
    else others.set(DELETE_FILE_PATH_ID, Buffer.from(path, 'utf8'));
    return others;
  };
  return { [lower.slot.key]: withBound(lower.map, first), [upper.slot.key]: withBound(upper.map, last) };
}

/**
 * The bytes of a manifest list of relocated manifests.
 * @param lengths the new length of each manifest, by its old location
 * @throws MoraineError `MANIFEST_CORRUPT`, `LIMIT_EXCEEDED`, `UNSUPPORTED_FEATURE`; `INTERNAL` for a manifest without a length
 */
export function relocateManifestList(
  bytes: Uint8Array,
  location: Location,
  relocate: Relocate,
  lengths: ReadonlyMap<Location, bigint>,
): Uint8Array {
  return editAvroFile(bytes, location, (schema) => {
    const fields = new RecordFields(schema);
    const [path, length] = [requiredSlot(fields, MANIFEST_PATH), requiredSlot(fields, MANIFEST_LENGTH)];
    return (manifest) => {
      const old = expectText(manifest[path.key], 'manifest_path');
      const anew = lengths.get(old);
      if (anew === undefined) throw new MoraineError('INTERNAL', `The new length of the manifest ${old} is not known.`);
      return { ...manifest, [path.key]: relocate(old), [length.key]: anew };
    };
  });
}

/** The bytes of an Avro file of position deletes whose data files have moved. @throws as {@link relocateManifest} */
export function relocateAvroDeletes(bytes: Uint8Array, location: Location, relocate: Relocate): Uint8Array {
  return editAvroFile(bytes, location, (schema) => {
    const { key } = requiredSlot(new RecordFields(schema), DELETE_FILE_PATH_ID);
    return (row) => ({ ...row, [key]: relocate(expectText(row[key], 'file_path')) });
  });
}

function requiredSlot(fields: RecordFields, id: number): FieldSlot {
  const slot = fields.slot(id);
  if (slot !== undefined) return slot;
  throw new MoraineError('MANIFEST_CORRUPT', `it lacks the field of id ${id}`);
}
