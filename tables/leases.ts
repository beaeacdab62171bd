/**
 * Leases: the snapshots that runs in flight read and the files that they stage, for expiry and sweeps to leave alone. They are properties
 * of the table, so that a sweep sees those of every process that works on it, and they end by themselves if their run dies.
 */
import { MoraineError } from '../errors/index.js';
import {
  isJsonArray,
  isJsonObject,
  type JsonValue,
  parseJson,
  stringifyJson,
  type TableMetadata,
  type TableUpdate,
} from '../iceberg/index.js';
import { commitProtection } from './expiry-fence.js';
import type { Table } from './table.js';
import { commitUpdates } from './update-metadata.js';

/**
 * Beginning of the table properties that hold leases: the rest of the name is the lease's id. The value is JSON,
 * `{kind, snapshot-ids, file-prefixes, expires-at-ms}`; 64-bit numbers are strings. Each lease has a property of its own, so that
 * a commit that lands late or twice changes no other lease.
 */
export const LEASE_PREFIX = 'moraine.lease.';
/** Table property of earlier releases: a JSON list of leases, each with its `id`. It is read, and goes when its leases have ended. */
const LEASES = 'moraine.leases';

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
  return [...listedLeases(metadata), ...ownLeases(metadata)];
}

/** Leases with a property of their own. */
function ownLeases({ properties }: TableMetadata): readonly Lease[] {
  return [...properties]
    .filter(([name]) => name.startsWith(LEASE_PREFIX))
    .map(([name, text]) => parsed(name, text, (json) => leaseFromJson(json, name.slice(LEASE_PREFIX.length))));
}

/** Leases of {@link LEASES}. */
function listedLeases({ properties }: TableMetadata): readonly Lease[] {
  const list = properties.get(LEASES);
  if (list === undefined) return [];
  return parsed(LEASES, list, (json) => {
    if (!isJsonArray(json)) throw new TypeError('it is not a list');
    return json.map((each) => leaseFromJson(each, textOf(isJsonObject(each) ? each['id'] : undefined, 'id')));
  });
}

function parsed<T>(property: string, text: string, parse: (json: JsonValue) => T): T {
  try {
    return parse(parseJson(text));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The table property ${property} cannot be read: ${reason}. Once no run works on the table, remove the property.`;
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
 * @param keptUntilMs one of the same content that ends after this time is left as it is: somebody else has taken it
 * @throws MoraineError `INVALID_ARGUMENT` for one of more than a week; as `commitUpdates`
 */
export async function takeLease(
  table: Table,
  lease: Lease,
  nowMs: bigint = BigInt(Date.now()),
  keptUntilMs?: bigint,
): Promise<Table> {
  if (lease.expiresAtMs > nowMs + LONGEST_LEASE_MS) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The lease ${lease.id} would last for more than a week; renew a shorter one.`,
    );
  }
  const [name, value] = [LEASE_PREFIX + lease.id, stringifyJson(leaseToJson(lease))];
  const isTaken = ({ properties }: TableMetadata): boolean => {
    const text = properties.get(name);
    if (text === undefined || text === value || keptUntilMs === undefined) return text === value;
    const taken = parsed(name, text, (json) => leaseFromJson(json, lease.id));
    return (
      taken.expiresAtMs > keptUntilMs &&
      stringifyJson(leaseToJson({ ...taken, expiresAtMs: lease.expiresAtMs })) === value
    );
  };
  return commitProtection(table, (base) =>
    isTaken(base) ? null : [{ action: 'set-properties', updates: new Map([[name, value]]) }],
  );
}

/** Gives a lease back; one that is not there is not an error. */
export async function releaseLease(table: Table, id: string): Promise<Table> {
  const name = LEASE_PREFIX + id;
  return commitUpdates(table, ({ properties }) =>
    properties.has(name) ? [{ action: 'remove-properties', removals: [name] }] : null,
  );
}

/** The metadata without leases: for a copy of the table, which no run in flight works on. */
export function withoutLeases(metadata: TableMetadata): TableMetadata {
  const isLease = (name: string): boolean => name.startsWith(LEASE_PREFIX) || name === LEASES;
  return { ...metadata, properties: new Map([...metadata.properties].filter(([name]) => !isLease(name))) };
}

/** The updates that leave out leases that have ended. They must not land beside a lease that is renewed: only behind the fence of an expiry. */
export function withoutEndedLeases(metadata: TableMetadata, nowMs: bigint): readonly TableUpdate[] {
  const hasEnded = (lease: Lease): boolean => !isActive(lease, nowMs);
  const removals = ownLeases(metadata)
    .filter(hasEnded)
    .map(({ id }) => LEASE_PREFIX + id);
  if (metadata.properties.has(LEASES) && listedLeases(metadata).every(hasEnded)) removals.push(LEASES);
  return removals.length === 0 ? [] : [{ action: 'remove-properties', removals }];
}

function leaseToJson(lease: Lease): JsonValue {
  return {
    kind: lease.kind,
    'snapshot-ids': lease.snapshotIds.map(String),
    'file-prefixes': lease.filePrefixes,
    'expires-at-ms': String(lease.expiresAtMs),
  };
}

function leaseFromJson(json: JsonValue, id: string): Lease {
  if (!isJsonObject(json)) throw new TypeError('a lease is not an object');
  const textsOf = (name: string): readonly string[] => {
    const value = json[name];
    if (value === undefined || !isJsonArray(value)) throw new TypeError(`${name} of a lease is not a list`);
    return value.map((each) => textOf(each, name));
  };
  return {
    id,
    kind: textOf(json['kind'], 'kind'),
    snapshotIds: textsOf('snapshot-ids').map(BigInt),
    filePrefixes: textsOf('file-prefixes'),
    expiresAtMs: BigInt(textOf(json['expires-at-ms'], 'expires-at-ms')),
  };
}

function textOf(value: JsonValue | undefined, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new TypeError(`${name} of a lease is not a text`);
}
