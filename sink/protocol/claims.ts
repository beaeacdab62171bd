/** Whether a coordinator's claim is the newest one of a state of its table, and its batch can be added there. Pure. */
import { formatTableName } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import { currentSchema, type TableMetadata, unreadableFields } from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';
import { type Claim, isLater, type SinkAttempt, type SinkState } from './sink-state.js';

type NamedTable = Pick<Table, 'identifier'>;

/** @throws MoraineError `SINK_FENCED` unless the newest claim of a base is this one */
export function requireOwned(table: NamedTable, sink: string, state: SinkState | null, claim: Claim): void {
  if (state?.epoch !== claim.epoch || state.owner !== claim.owner) throw fenced(table, sink, state, claim);
}

/** @throws MoraineError `SINK_FENCED` if the newest claim of a base is that of a later attempt at the same work */
export function requireNoLater(
  { identifier }: NamedTable,
  sink: string,
  state: SinkState | null,
  attempt: SinkAttempt | undefined,
): void {
  if (attempt === undefined || state?.attempt === undefined || !isLater(state.attempt, attempt)) return;
  const [own, newest] = [nameOf(attempt), nameOf(state.attempt)];
  const message = `Sink ${JSON.stringify(sink)} of table ${formatTableName(identifier)} is a later attempt's: this is attempt ${own}, and the newest claim is that of ${newest}.`;
  throw new MoraineError('SINK_FENCED', message, { details: { sink, attempt: own, newestAttempt: newest } });
}

const nameOf = ({ order, run }: SinkAttempt): string =>
  run === undefined ? order.join('.') : `${order.join('.')} of run ${run.id}`;

/** The error of a coordinator whose claim is not the newest one of a base. */
export function fenced(
  { identifier }: NamedTable,
  sink: string,
  state: SinkState | null,
  { epoch }: Claim,
): MoraineError {
  const newest = state === null ? 'none is in its history any more' : `the newest is epoch ${state.epoch}`;
  const message = `Sink ${JSON.stringify(sink)} of table ${formatTableName(identifier)} is not this coordinator's: its claim is epoch ${epoch}, ${newest}.`;
  const details = { sink, epoch: epoch.toString(), newestEpoch: state?.epoch.toString() ?? 'none' };
  return new MoraineError('SINK_FENCED', message, { details });
}

/** @throws MoraineError `SINK_SCHEMA_CHANGED` for a batch whose rows the base's schema cannot take */
export function requireReadable(
  { identifier }: NamedTable,
  sink: string,
  base: TableMetadata,
  batch: { readonly manifests: readonly unknown[]; readonly schemaIds?: readonly number[] },
): void {
  if (batch.manifests.length === 0) return;
  const written = base.schemas.filter(({ schemaId }) => batch.schemaIds?.includes(schemaId) === true);
  const changed = written.filter(({ schemaId }) => schemaId !== base.currentSchemaId);
  const found = changed.flatMap((schema) => unreadableFields(schema, currentSchema(base), base.formatVersion));
  const fields = [...new Set(found)];
  if (fields.length === 0) return;
  const message = `A batch of sink ${JSON.stringify(sink)} cannot be added to table ${formatTableName(identifier)}: since it was staged ${fields.join(', ')}.`;
  throw new MoraineError('SINK_SCHEMA_CHANGED', message, { details: { sink, fields } });
}
