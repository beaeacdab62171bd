/** Safeguards of sinks that can be taken away, to see that the simulation misses them. */
import type { Catalog, CommitRequest } from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { TableUpdate } from '../../iceberg/index.js';
import { HIDDEN_SUMMARY } from './sink-records.js';

export interface SinkBugs {
  /** A batch does not ask whose the newest claim is. */
  readonly ignoresOwners?: boolean;
  /** The ranges of a batch are checked on the first base that it meets, and on no other. */
  readonly checksRangesOnce?: boolean;
  /** A claim sets a table property, and makes no snapshot. */
  readonly claimsByProperty?: boolean;
  /** Positions are written by a commit of their own, after that of the rows. */
  readonly writesPositionsLater?: boolean;
  /** The files of a checkpoint are committed whether or not they have been. */
  readonly commitsCheckpointsAgain?: boolean;
  /** A commit without an answer is taken to have failed: its files are committed again before it is settled. */
  readonly takesUnknownForFailed?: boolean;
  /** Whoever reads the state of a sink does not see what its last batch has left to do in other tables. */
  readonly forgetsTables?: boolean;
  /** What a batch has left to do in another table and could not be done is not done before the next batch. */
  readonly passesTables?: boolean;
  /** A partition whose first batch was rolled back may begin anywhere once the sink is opened anew. */
  readonly forgetsBeginnings?: boolean;
  /** Of a batch that several writers have staged the files of the first are committed. */
  readonly forgetsParts?: boolean;
  /** A batch that several writers have staged does not say which parts it has. */
  readonly namesNoParts?: boolean;
  /** Dead letters are committed as soon as they are staged. */
  readonly commitsLettersFirst?: boolean;
}

let planted: SinkBugs = {};

/** The safeguards that are gone from now on; what replaces modules of the sink asks for them. */
export function plant(bugs: SinkBugs): void {
  planted = bugs;
}

export const isPlanted = (bug: keyof SinkBugs): boolean => planted[bug] === true;

const checked = new WeakSet<object>();

/** Whether something was asked about before. */
export function isSecondTime(thing: object): boolean {
  if (checked.has(thing)) return true;
  checked.add(thing);
  return false;
}

/** A catalog as sinks with the planted bugs use it. */
export function withPlanted(catalog: Catalog): Catalog {
  const commitTable: Catalog['commitTable'] = async (identifier, request) => {
    if (isPlanted('claimsByProperty')) return await catalog.commitTable(identifier, withoutClaim(request));
    if (isPlanted('writesPositionsLater')) {
      const [rows, positions] = split(request);
      const loaded = await catalog.commitTable(identifier, rows);
      return positions === null ? loaded : await catalog.commitTable(identifier, positions);
    }
    return await catalog.commitTable(identifier, request).catch((error: unknown) => {
      if (!isPlanted('takesUnknownForFailed') || !isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) throw error;
      throw new MoraineError('CATALOG_UNAVAILABLE', error.message);
    });
  };
  return new Proxy(catalog, {
    get: (target, property) => {
      if (property === 'commitTable') return commitTable;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A claim's property alone, as if the current snapshot had made the claim. */
function withoutClaim(request: CommitRequest): CommitRequest {
  const { requirements, updates } = request;
  const base = requirements.find((requirement) => requirement.type === 'assert-ref-snapshot-id')?.snapshotId;
  const snapshot = updates.find((update) => update.action === 'add-snapshot')?.snapshot;
  const text = snapshot?.summary.get('moraine.sink');
  if (base === undefined || base === null || snapshot === undefined || text === undefined) return request;
  if (text.includes(`"snapshot-id":"${snapshot.snapshotId}"`)) return request;
  const anchoredAtBase = (value: string): string => value.replaceAll(String(snapshot.snapshotId), String(base));
  const properties = updates.flatMap((update): TableUpdate[] =>
    update.action === 'set-properties'
      ? [{ ...update, updates: new Map([...update.updates].map(([name, value]) => [name, anchoredAtBase(value)])) }]
      : [],
  );
  return { requirements, updates: properties };
}

/** The commit of the rows, from whose summary nobody reads positions, and that of the positions. */
function split({ requirements, updates }: CommitRequest): [CommitRequest, CommitRequest | null] {
  const properties = updates.filter(({ action }) => action === 'set-properties');
  const rows = updates.flatMap((update): TableUpdate[] => {
    if (update.action === 'set-properties') return [];
    if (update.action !== 'add-snapshot') return [update];
    const summary = new Map(update.snapshot.summary);
    const text = summary.get('moraine.sink');
    if (text === undefined) return [update];
    summary.delete('moraine.sink');
    summary.set(HIDDEN_SUMMARY, text);
    return [{ ...update, snapshot: { ...update.snapshot, summary } }];
  });
  const [identity] = requirements.filter(({ type }) => type === 'assert-table-uuid');
  const later = { requirements: identity === undefined ? [] : [identity], updates: properties };
  return [{ requirements, updates: rows }, properties.length === 0 ? null : later];
}
