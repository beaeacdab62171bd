/**
 * Leases: what runs in flight read and write, told to the sweeps of a table. They stand in the table itself, so that a sweep
 * sees those of every process that works on it, and they end by themselves if their run dies.
 */
import { MoraineError } from '../../errors/index.js';
import {
  isJsonArray,
  isJsonObject,
  type JsonValue,
  parseJson,
  stringifyJson,
  type TableMetadata,
  type TableUpdate,
} from '../../iceberg/index.js';
import { commitUpdates, type Table } from '../../tables/index.js';

/** Table property: a JSON list of `{id, kind, snapshot-ids, file-prefixes, expires-at-ms}`; 64-bit numbers are strings. */
export const LEASES = 'moraine.leases';

/** Clocks of workers may differ by this much: an ended lease still counts for so long. */
const CLOCK_TOLERANCE_MS = 300_000n;
/** A lease without end would stop every sweep for good. */
const LONGEST_LEASE_MS = 7n * 86_400_000n;

/** Files and snapshots that sweeps must leave alone for a run in flight. */
export interface Lease {
  /** Id of the run; taking a lease again replaces it. */
  readonly id: string;
  /** Kind of the run: `materialize`, `compact`, `backfill`. */
  readonly kind: string;
  /** Snapshots that are read. */
  readonly snapshotIds: readonly bigint[];
  /** How the names of the files begin that the run stages. */
  readonly filePrefixes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: bigint;
}

/**
 * The leases of a table, ended ones among them.
 * @throws MoraineError `METADATA_CORRUPT` if the property is not understood: nothing may be swept then
 */
export function leasesOf(metadata: TableMetadata): readonly Lease[] {
  const text = metadata.properties.get(LEASES);
  if (text === undefined) return [];
  try {
    const json = parseJson(text);
    if (!isJsonArray(json)) throw new TypeError('it is no list');
    return json.map(leaseFromJson);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The table property ${LEASES} cannot be read: ${reason}. Once no run works on the table, remove the property.`;
    throw new MoraineError('METADATA_CORRUPT', message, { cause });
  }
}

/** Whether a lease still counts. @param nowMs milliseconds since the epoch */
export function isActive(lease: Lease, nowMs: bigint): boolean {
  return lease.expiresAtMs + CLOCK_TOLERANCE_MS > nowMs;
}

/** The leases that count. */
export function activeLeases(metadata: TableMetadata, nowMs: bigint): readonly Lease[] {
  return leasesOf(metadata).filter((lease) => isActive(lease, nowMs));
}

/**
 * Takes a lease, or renews the one of the same id.
 * @throws MoraineError `INVALID_ARGUMENT` for one of more than a week; as `commitUpdates`
 */
export async function takeLease(table: Table, lease: Lease, nowMs: bigint = BigInt(Date.now())): Promise<Table> {
  if (lease.expiresAtMs > nowMs + LONGEST_LEASE_MS) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The lease ${lease.id} would last for more than a week; renew a shorter one.`,
    );
  }
  return commitUpdates(table, (base) => {
    const others = leasesOf(base).filter(({ id }) => id !== lease.id);
    return leasesUpdate([...others, lease]);
  });
}

/** Gives a lease back; one that is not there is no error. */
export async function releaseLease(table: Table, id: string): Promise<Table> {
  return commitUpdates(table, (base) => {
    const leases = leasesOf(base);
    const others = leases.filter((lease) => lease.id !== id);
    return others.length === leases.length ? null : leasesUpdate(others);
  });
}

/** The update that leaves out leases that have ended; null if none has. */
export function withoutEndedLeases(metadata: TableMetadata, nowMs: bigint): readonly TableUpdate[] | null {
  const active = activeLeases(metadata, nowMs);
  return active.length === leasesOf(metadata).length ? null : leasesUpdate(active);
}

function leasesUpdate(leases: readonly Lease[]): readonly TableUpdate[] {
  if (leases.length === 0) return [{ action: 'remove-properties', removals: [LEASES] }];
  return [{ action: 'set-properties', updates: new Map([[LEASES, stringifyJson(leases.map(leaseToJson))]]) }];
}

function leaseToJson(lease: Lease): JsonValue {
  return {
    id: lease.id,
    kind: lease.kind,
    'snapshot-ids': lease.snapshotIds.map(String),
    'file-prefixes': lease.filePrefixes,
    'expires-at-ms': String(lease.expiresAtMs),
  };
}

function leaseFromJson(json: JsonValue): Lease {
  if (!isJsonObject(json)) throw new TypeError('a lease is no object');
  const text = (value: JsonValue | undefined, name: string): string => {
    if (typeof value === 'string' && value !== '') return value;
    throw new TypeError(`${name} of a lease is no text`);
  };
  const texts = (name: string): readonly string[] => {
    const value = json[name];
    if (value === undefined || !isJsonArray(value)) throw new TypeError(`${name} of a lease is no list`);
    return value.map((each) => text(each, name));
  };
  return {
    id: text(json['id'], 'id'),
    kind: text(json['kind'], 'kind'),
    snapshotIds: texts('snapshot-ids').map(BigInt),
    filePrefixes: texts('file-prefixes'),
    expiresAtMs: BigInt(text(json['expires-at-ms'], 'expires-at-ms')),
  };
}
