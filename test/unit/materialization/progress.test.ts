import { describe, expect, it } from 'vitest';
import type { Snapshot, TableMetadata } from '../../../iceberg/index.js';
import { effectiveProgress, type Progress, parseProgress, progressToText } from '../../../materialization/progress.js';

const progress = (sourceSnapshotId: bigint): Progress => ({
  sourceTable: 'demo.source',
  sourceTableUuid: 'u',
  definition: { keys: 'k', source: 's', mapping: 'm', features: 'f', partitioning: 'p' },
  incremental: { sourceSnapshotId, heldBackFromUs: 9_007_199_254_740_993n },
  coverage: [{ startUs: null, endUs: -1n, sourceSnapshotId }],
});

interface Line {
  readonly id: bigint;
  readonly parent?: bigint;
  /** Source snapshot of the progress in the summary. */
  readonly of?: bigint;
}

function table(
  lines: readonly Line[],
  current: bigint,
  property: { of: bigint; snapshotId: bigint; sequenceNumber: bigint },
): TableMetadata {
  const snapshots = lines.map(
    ({ id, parent, of }): Snapshot => ({
      snapshotId: id,
      ...(parent === undefined ? {} : { parentSnapshotId: parent }),
      sequenceNumber: id,
      timestampMs: 0n,
      summary: new Map(of === undefined ? [] : [['moraine.progress', progressToText(progress(of))]]),
    }),
  );
  const text = progressToText(progress(property.of), property);
  return {
    snapshots,
    currentSnapshotId: current,
    properties: new Map([['moraine.progress', text]]),
  } as unknown as TableMetadata;
}

const position = (metadata: TableMetadata) =>
  effectiveProgress(metadata).progress?.incremental?.sourceSnapshotId ?? null;

describe('progress', () => {
  it('is the same after JSON, with 64-bit numbers exact', () => {
    const anchor = { snapshotId: 2n ** 62n + 1n, sequenceNumber: 3n };
    expect(parseProgress(progressToText(progress(5n), anchor))).toEqual({ progress: progress(5n), anchor });
  });

  it('says that a property is damaged', () => {
    expect(() => parseProgress('{"version": 2}')).toThrow(expect.objectContaining({ code: 'METADATA_CORRUPT' }));
    expect(() => parseProgress('nonsense')).toThrow(expect.objectContaining({ code: 'METADATA_CORRUPT' }));
  });

  it('is the property when its snapshot is an ancestor', () => {
    const lines = [
      { id: 1n, of: 10n },
      { id: 2n, parent: 1n, of: 20n },
      { id: 3n, parent: 2n },
    ];
    expect(position(table(lines, 3n, { of: 20n, snapshotId: 2n, sequenceNumber: 2n }))).toBe(20n);
  });

  it('is the copy of the nearest ancestor when the table was rolled back', () => {
    const lines = [
      { id: 1n, of: 10n },
      { id: 2n, parent: 1n, of: 20n },
    ];
    expect(position(table(lines, 1n, { of: 20n, snapshotId: 2n, sequenceNumber: 2n }))).toBe(10n);
  });

  it('is the property when its snapshot has expired from the ancestry', () => {
    const lines = [{ id: 3n, parent: 2n }];
    expect(position(table(lines, 3n, { of: 20n, snapshotId: 2n, sequenceNumber: 2n }))).toBe(20n);
  });

  it('is not the property when its snapshot was rolled back and expired afterwards', () => {
    const lines = [
      { id: 1n, of: 10n },
      { id: 3n, parent: 1n },
    ];
    expect(position(table(lines, 3n, { of: 20n, snapshotId: 2n, sequenceNumber: 2n }))).toBe(10n);
    expect(position(table([{ id: 1n }], 1n, { of: 20n, snapshotId: 2n, sequenceNumber: 2n }))).toBeNull();
  });

  it('changes its token with a roll-back, so that the same work is new work', () => {
    const lines = [
      { id: 1n, of: 10n },
      { id: 2n, parent: 1n, of: 20n },
    ];
    const property = { of: 20n, snapshotId: 2n, sequenceNumber: 2n };
    const rolledBack = effectiveProgress(table(lines, 1n, property)).token;
    const before = effectiveProgress(
      table([{ id: 1n, of: 10n }], 1n, { of: 10n, snapshotId: 1n, sequenceNumber: 1n }),
    ).token;
    expect(rolledBack).not.toBe(before);
  });
});
