/** The properties in which an online table keeps what it holds, and which of them count for its current snapshot. */
import { z } from 'zod';
import type { Snapshot, TableMetadata } from '../iceberg/index.js';
import { longText } from '../tables/index.js';
import type { DefinitionFingerprint } from './definition-fingerprint.js';
import { viewColumnsJson, viewColumnsToJson } from './view-columns.js';

/** The table property. */
export const PROGRESS_PROPERTY = 'moraine.progress';
/** The summary property that holds the copy. */
export const PROGRESS_SUMMARY = 'moraine.progress';

/** The snapshot of the online table that a progress describes. Its sequence number tells a rolled-back from an expired one. */
export interface ProgressAnchor {
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
}

/** The recorded text that applies to the table's current state. */
export interface EffectiveText {
  readonly text: string | null;
  /** Identifies the state of the table that a plan is built on; a commit is valid only while it is unchanged. */
  readonly token: string;
  /** Whether the table was rolled back behind the snapshot of its property. */
  readonly isRolledBack: boolean;
  /** The snapshot that the text describes; null: there is no text. */
  readonly snapshotId: bigint | null;
}

/** The part of a progress that says which snapshot it describes. */
export const anchorJson = { 'snapshot-id': longText.optional(), 'sequence-number': longText.optional() };

/** The part of a progress that says of which definition the rows are. Tables of earlier releases have no `columns`. */
export const definitionJson = z.object({
  keys: z.string(),
  source: z.string(),
  mapping: z.string(),
  features: z.string(),
  partitioning: z.string(),
  columns: viewColumnsJson.optional(),
});

export function definitionToJson({ columns, ...digests }: DefinitionFingerprint): z.input<typeof definitionJson> {
  return columns === undefined ? digests : { ...digests, columns: viewColumnsToJson(columns) };
}

/** The definition that an online table's rows were computed by. */
export interface StoredDefinition {
  readonly definition: DefinitionFingerprint;
  readonly sourceTableUuid: string;
}

const storedJson = z.object({ ...anchorJson, 'source-table-uuid': z.string(), definition: definitionJson });

/** The definition that the rows of a table's current snapshot were computed by; null if that is not recorded. */
export function storedDefinition(metadata: TableMetadata): StoredDefinition | null {
  const names = { property: PROGRESS_PROPERTY, summary: PROGRESS_SUMMARY };
  const { text } = effectiveText(metadata, names, (property) => anchorOf(readStored(property)));
  const stored = text === null ? undefined : readStored(text);
  return stored === undefined ? null : { definition: stored.definition, sourceTableUuid: stored['source-table-uuid'] };
}

/** The snapshot that a text describes; undefined for the copy in a snapshot's own summary. */
export function anchorOf(json: z.infer<z.ZodObject<typeof anchorJson>> | undefined): ProgressAnchor | undefined {
  const snapshotId = json?.['snapshot-id'];
  const sequenceNumber = json?.['sequence-number'];
  return snapshotId === undefined || sequenceNumber === undefined ? undefined : { snapshotId, sequenceNumber };
}

/** A text that cannot be read is reported by the run that has to continue from it; it keeps nobody from reading the rows. */
function readStored(text: string): z.infer<typeof storedJson> | undefined {
  try {
    return storedJson.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * The text that counts of those that a table's property keeps of its last snapshot and each snapshot's summary of itself: the
 * property's, if its snapshot is an ancestor of the current one or has expired from its ancestry; else (the table was rolled back)
 * the copy in the nearest ancestor's summary; else none.
 * @param anchorOf reads from the property's text which snapshot it describes
 */
export function effectiveText(
  metadata: TableMetadata,
  names: { readonly property: string; readonly summary: string },
  anchorOf: (text: string) => ProgressAnchor | undefined,
): EffectiveText {
  const text = metadata.properties.get(names.property);
  const chain = currentAncestors(metadata);
  if (text !== undefined) {
    const anchor = anchorOf(text);
    if (anchor !== undefined && describesCurrent(anchor, chain, metadata))
      return { text, token: text, isRolledBack: false, snapshotId: anchor.snapshotId };
  }
  const described = chain.find((snapshot) => snapshot.summary.has(names.summary));
  const copy = described?.summary.get(names.summary);
  // The ignored property is part of the token: after a roll-back the same work is new work.
  const token = `${text ?? ''}\n${copy ?? ''}`;
  return { text: copy ?? null, token, isRolledBack: text !== undefined, snapshotId: described?.snapshotId ?? null };
}

/** The current snapshot and its ancestors as far as they are kept, newest first. */
export function currentAncestors(metadata: TableMetadata): readonly Snapshot[] {
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  const chain: Snapshot[] = [];
  let next = metadata.currentSnapshotId ?? undefined;
  while (next !== undefined && chain.length <= byId.size) {
    const snapshot = byId.get(next);
    if (snapshot === undefined) break;
    chain.push(snapshot);
    next = snapshot.parentSnapshotId;
  }
  return chain;
}

/** Whether the snapshot is, or was before it expired, an ancestor of the current one. @param chain {@link currentAncestors} */
export function describesCurrent(anchor: ProgressAnchor, chain: readonly Snapshot[], metadata: TableMetadata): boolean {
  if (chain.some((snapshot) => snapshot.snapshotId === anchor.snapshotId)) return true;
  if (metadata.snapshots.some((snapshot) => snapshot.snapshotId === anchor.snapshotId)) return false;
  // It has expired. It was an ancestor unless the unbroken chain of parents reaches back to its sequence number without it.
  const oldest = chain.at(-1);
  return oldest !== undefined && oldest.sequenceNumber > anchor.sequenceNumber && oldest.parentSnapshotId !== undefined;
}
