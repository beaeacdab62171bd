/** At which state tables are read, as people write it in JSON. */
import { z } from 'zod';
import type { HistoricalAsOf, TableState } from '../features/index.js';

/** One of: a time (ISO-8601 with a zone), a tag or branch, a snapshot id, or a snapshot id for each table. 64-bit ids are text. */
export type AsOfJson =
  | { readonly time: string }
  | { readonly ref: string }
  | { readonly snapshotId: string }
  | {
      readonly snapshots: Readonly<Record<string, string | null | TableStateJson>>;
      /** Tables that are not named are read as they are now; else they are an error. */
      readonly others?: 'current';
    };

interface TableStateJson {
  readonly snapshotId: string | null;
  readonly schemaId: number;
  readonly tableUuid: string;
}

const id = z
  .string()
  .regex(/^\d{1,19}$/, 'must be a snapshot id, as text')
  .transform(BigInt);
const state = z.strictObject({ snapshotId: id.nullable(), schemaId: z.int(), tableUuid: z.string() });

/** Reads an {@link AsOfJson}. */
export const asOfSchema = z
  .strictObject({
    time: z.iso.datetime({ offset: true, error: 'must be an ISO-8601 time with a zone' }).optional(),
    ref: z.string().min(1).optional(),
    snapshotId: id.optional(),
    snapshots: z.record(z.string(), z.union([id, z.null(), state])).optional(),
    others: z.literal('current').optional(),
  })
  .refine(({ time, ref, snapshotId, snapshots }) => count([time, ref, snapshotId, snapshots]) === 1, {
    error: 'must have one of "time", "ref", "snapshotId" and "snapshots"',
  })
  .refine(({ others, snapshots }) => others === undefined || snapshots !== undefined, {
    error: '"others" goes with "snapshots"',
  })
  .transform(({ time, ref, snapshotId, snapshots, others }): HistoricalAsOf => {
    if (time !== undefined) return { asOfMs: BigInt(Date.parse(time)) };
    if (ref !== undefined) return { ref };
    if (snapshots === undefined) return snapshotId === undefined ? {} : { snapshotId };
    return { snapshots: new Map(Object.entries(snapshots)), ...(others === undefined ? {} : { others }) };
  });

const count = (values: readonly unknown[]): number => values.filter((value) => value !== undefined).length;

/** The JSON that {@link asOfSchema} reads; undefined for tables as they are now. */
export function asOfToJson(asOf: HistoricalAsOf): AsOfJson | undefined {
  if ('snapshots' in asOf) {
    const snapshots = Object.fromEntries([...asOf.snapshots].map(([name, value]) => [name, stateToJson(value)]));
    return { snapshots, ...(asOf.others === undefined ? {} : { others: asOf.others }) };
  }
  if (asOf.snapshotId !== undefined) return { snapshotId: String(asOf.snapshotId) };
  if (asOf.ref !== undefined) return { ref: asOf.ref };
  return asOf.asOfMs === undefined ? undefined : { time: new Date(Number(asOf.asOfMs)).toISOString() };
}

function stateToJson(value: bigint | null | TableState): string | null | TableStateJson {
  if (value === null) return null;
  if (typeof value === 'bigint') return String(value);
  const { snapshotId, schemaId, tableUuid } = value;
  return { snapshotId: snapshotId === null ? null : String(snapshotId), schemaId, tableUuid };
}
