/**
 * The registry of definitions: an Iceberg table with one row per version of an object. One apply is one
 * compare-and-swap commit; history is the table's own.
 */
import { randomUUID } from 'node:crypto';
import { type Catalog, formatTableName, type TableIdentifier } from '../../catalogs/index.js';
import { type Connection, type Engine, quoteIdentifier, readableScanSql, sqlLiteral } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { type PrimitiveType, type PrimitiveValue, type TableMetadata } from '../../iceberg/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { commitAppend, commitUpdates, retryConflicts, selectSnapshot, type Table } from '../../tables/index.js';
import { type DefinitionKind, type Definitions, NO_DEFINITIONS } from '../definitions/definition.js';
import { type ApplyOptions, type ApplyPlan, planApply, planChangesAnything, type RegistryState } from './apply-plan.js';
import { newProjectId, PROJECT_ID_PROPERTY, projectIdOf } from './project-id.js';
import { REGISTRY_SCHEMA, type RegistryRow } from './registry-row.js';
import { creationTimesOf, rowsOfPlan, stateOfRows } from './registry-rows.js';
import { ensureSystemTable, loadSystemTable } from './system-table.js';

/** Dependencies of the registry. */
export interface RegistryDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: () => Promise<Engine>;
  /** `moraine.registry` unless configured otherwise. */
  readonly table: TableIdentifier;
  /** Now, in microseconds since the epoch. */
  readonly nowUs?: () => bigint;
}

/** A point of the registry's history. */
export interface RegistryAsOf {
  readonly snapshotId?: bigint;
  readonly asOfMs?: bigint;
}

/** Result of an apply. */
export interface ApplyResult {
  readonly plan: ApplyPlan;
  /** Snapshot of the registry afterwards; null if it is still empty. */
  readonly snapshotId: bigint | null;
  /** How often the plan was made anew because another apply came first. */
  readonly replans: number;
}

/** Reads and changes the registry. */
export class Registry {
  readonly #deps: RegistryDeps;
  #projectId: string | undefined;
  #cached: { readonly metadataLocation: string; readonly state: RegistryState } | undefined;

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
  }

  /** The registry now, or as it was. It is read from storage only when the table has changed. */
  async read(asOf: RegistryAsOf = {}): Promise<RegistryState> {
    const table = await loadSystemTable(this.#deps);
    if (table === null)
      return { snapshotId: null, definitions: NO_DEFINITIONS, versions: new Map(), formerNames: new Map() };
    const now = asOf.snapshotId === undefined && asOf.asOfMs === undefined;
    if (now && this.#cached?.metadataLocation === table.metadataLocation) return this.#cached.state;
    const { rows, snapshotId } = await this.#rows(table, asOf);
    const state = stateOfRows(rows, snapshotId);
    if (now) this.#cached = { metadataLocation: table.metadataLocation, state };
    return state;
  }

  /**
   * The identity of the project that this registry is of, as this process has seen it first. An empty registry is made where there is none,
   * so that it is the same from then on.
   *
   * @throws `METADATA_CORRUPT`; `TABLE_ALREADY_EXISTS` if the catalog has lost a registry that is still on storage
   */
  async projectId(): Promise<string> {
    const known = await this.findProjectId();
    if (known !== null) return known;
    await this.#requireNoLostTable();
    const { metadata } = await ensureSystemTable(this.#deps, REGISTRY_SCHEMA);
    this.#projectId = projectIdOf(metadata);
    return this.#projectId;
  }

  /** The same; null if there is not yet a registry. @throws `METADATA_CORRUPT` */
  async findProjectId(): Promise<string | null> {
    if (this.#projectId !== undefined) return this.#projectId;
    const table = await loadSystemTable(this.#deps);
    if (table === null) return null;
    this.#projectId = projectIdOf(table.metadata);
    return this.#projectId;
  }

  /**
   * Gives the project a new identity, for a copy of another one. Workers that run have the old one until they are started again.
   *
   * @returns the new identity
   * @throws as {@link projectId}; `COMMIT_STATE_UNKNOWN`
   */
  async renewProjectId(): Promise<string> {
    await this.projectId();
    const id = newProjectId();
    const table = await ensureSystemTable(this.#deps, REGISTRY_SCHEMA);
    const values = new Map([[PROJECT_ID_PROPERTY, id]]);
    await commitUpdates(table, ({ properties }) =>
      properties.get(PROJECT_ID_PROPERTY) === id ? null : [{ action: 'set-properties', updates: values }],
    );
    this.#projectId = id;
    return id;
  }

  /** A new registry beside a lost one would be another project, and its maintenance would take the lost one's files for orphans. */
  async #requireNoLostTable(): Promise<void> {
    const { catalog, io, table } = this.#deps;
    if (!(await catalog.namespaceExists(table.namespace))) return;
    const location = await catalog.newTableLocation(table);
    const { files } = await io.listPage(`${location}/metadata`, { maxFiles: 1 });
    if (files.length === 0) return;
    const name = formatTableName(table);
    const message =
      `The catalog has no table ${name}, but its folder ${location} has metadata: bring it back with ` +
      `\`moraine table register ${name} ${location}\`, or begin a new one with \`moraine apply\`.`;
    throw new MoraineError('TABLE_ALREADY_EXISTS', message);
  }

  /** Every version of one object, oldest first. */
  async history(kind: DefinitionKind, name: string): Promise<readonly RegistryRow[]> {
    const table = await loadSystemTable(this.#deps);
    if (table === null) return [];
    const { rows } = await this.#rows(table, {});
    return rows.filter((row) => row.kind === kind && row.name === name).sort((a, b) => a.version - b.version);
  }

  /** By {@link objectKey}: when each object that is registered was first registered, since it was last deleted. Microseconds since the epoch. */
  async creationTimes(): Promise<ReadonlyMap<string, bigint>> {
    const table = await loadSystemTable(this.#deps);
    return table === null ? new Map() : creationTimesOf((await this.#rows(table, {})).rows);
  }

  /**
   * Brings the registry to the desired definitions in one commit. If another apply comes first, the plan is made anew
   * on top of it, so neither is lost. Nothing is committed if nothing changes.
   * @param check runs on every plan before it is committed, and may refuse it by throwing
   * @throws DEFINITION_INVALID, COMMIT_STATE_UNKNOWN, COMMIT_CONFLICT (too many other applies)
   */
  async apply(
    desired: Definitions,
    options: ApplyOptions & { readonly dryRun?: boolean; readonly check?: (plan: ApplyPlan) => Promise<void> } = {},
  ): Promise<ApplyResult> {
    return await retryConflicts(this.#deps.catalog, async (attempt) => {
      const replans = attempt - 1;
      const plan = planApply(await this.read(), desired, options);
      await options.check?.(plan);
      if (options.dryRun === true || !planChangesAnything(plan))
        return { plan, snapshotId: plan.base.snapshotId, replans };
      const snapshotId = await this.#commit(plan);
      return { plan, snapshotId, replans };
    });
  }

  /** Commits a plan on the state it was made from. @throws COMMIT_CONFLICT if the registry has changed since */
  async #commit(plan: ApplyPlan): Promise<bigint> {
    const table = await ensureSystemTable(this.#deps, REGISTRY_SCHEMA);
    const rows = rowsOfPlan(plan, this.#deps.nowUs?.() ?? BigInt(Date.now()) * 1000n);
    const engine = await this.#deps.engine();
    const attempt = randomUUID();
    const files = await engine.withConnection((connection) =>
      stageRows(connection, table, { select: rowsSql(rows), schema: REGISTRY_SCHEMA, namePrefix: attempt }),
    );
    // After a conflict the staged file stays behind, as every one whose commit did not land, for the orphan sweep.
    const { snapshotId } = await commitAppend(table, {
      files,
      run: { key: `apply-${attempt}` },
      validate: (base) => assertUnchanged(base, plan.base.snapshotId),
    });
    return snapshotId;
  }

  async #rows(table: Table, asOf: RegistryAsOf): Promise<{ rows: readonly RegistryRow[]; snapshotId: bigint | null }> {
    const { snapshot } = selectSnapshot(table.metadata, asOf);
    if (snapshot === null) return { rows: [], snapshotId: null };
    const source = { table, snapshot, schema: REGISTRY_SCHEMA };
    const plan = await planSource(source);
    const engine = await this.#deps.engine();
    const rows = await engine.withConnection(async (connection) => {
      const { scan } = await openScan(connection, source, plan);
      return readRows(connection, await readableScanSql(connection, { ...scan, schema: REGISTRY_SCHEMA }));
    });
    return { rows, snapshotId: snapshot.snapshotId };
  }
}

function assertUnchanged(base: TableMetadata, snapshotId: bigint | null): void {
  if (base.currentSnapshotId === snapshotId) return;
  throw new MoraineError('COMMIT_CONFLICT', 'The registry was changed by another apply.');
}

async function readRows(connection: Connection, relation: string): Promise<readonly RegistryRow[]> {
  const columns = REGISTRY_SCHEMA.fields.map((field) =>
    field.name === 'applied_at' ? 'epoch_us(applied_at)' : quoteIdentifier(field.name),
  );
  const rows = await connection.rows(`SELECT ${columns.join(', ')} FROM ${relation}`);
  return rows.map(([kind, name, version, definition, definitionHash, renamedFrom, appliedAtUs, deleted]) => ({
    kind: kind as DefinitionKind,
    name: name as string,
    version: version as number,
    definition: definition as string,
    definitionHash: definitionHash as string,
    renamedFrom: renamedFrom as string | null,
    appliedAtUs: appliedAtUs as bigint,
    deleted: deleted as boolean,
  }));
}

function rowsSql(rows: readonly RegistryRow[]): string {
  const names = REGISTRY_SCHEMA.fields.map((field) => quoteIdentifier(field.name)).join(', ');
  const tuples = rows.map((row) => {
    const values: readonly (PrimitiveValue | null)[] = [
      row.kind,
      row.name,
      row.version,
      row.definition,
      row.definitionHash,
      row.renamedFrom,
      row.appliedAtUs,
      row.deleted,
    ];
    return `(${REGISTRY_SCHEMA.fields.map((field, index) => nullableLiteral(field.type as PrimitiveType, values[index] ?? null)).join(', ')})`;
  });
  return `SELECT * FROM (VALUES ${tuples.join(', ')}) AS rows(${names})`;
}

function nullableLiteral(type: PrimitiveType, value: PrimitiveValue | null): string {
  return value === null ? 'NULL::VARCHAR' : sqlLiteral(type, value);
}
