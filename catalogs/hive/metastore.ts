/**
 * The calls of a Hive metastore that a catalog needs. Versions differ in the names of some: what a metastore does not know is asked by its
 * other name.
 * Source: `hive_metastore.thrift` of Apache Hive 3.1 and 4.0, for the numbers of fields.
 */
import { randomUUID } from 'node:crypto';
import { type HiveAddress, HiveConnection } from './hive-connection.js';
import { HiveFailure } from './hive-failure.js';
import {
  bool,
  type Fields,
  fieldsOf,
  i32,
  i64,
  list,
  listOf,
  struct,
  structOf,
  TYPE,
  text,
  textMap,
  textOf,
  texts,
  type Value,
} from './thrift-values.js';

/** Connections that are kept for the next call. */
const MAX_IDLE = 4;
/** Tables that are asked for at a time. */
const TABLES_PER_CALL = 100;
/** Without it, a metastore does not tell of some tables. */
const CAPABILITIES = struct({ 1: list(TYPE.i32, [i32(2)]) });

/** The number of the exception, by the call, that says that there is no such thing. */
const NO_SUCH_OBJECT = { get_database: 1, get_table: 2, get_table_req: 2 };
/** Of the calls that make something. */
const [ALREADY_EXISTS, INVALID_OBJECT] = [1, 2];

/** What the exceptions of a change mean, by their number. After another one, which is of the metastore itself, nobody knows what was done. */
type Refusals<T> = Readonly<Record<number, T>>;

/** How the making of something ended. */
export type Creation = 'done' | 'exists' | 'invalid' | 'without-database';

/** The state of a lock. Source: `LockState`. */
export type LockState = 'acquired' | 'waiting' | 'gone';

/** A lock that is had, or waited for. */
export interface LockOfTable {
  readonly id: bigint;
  readonly state: LockState;
}

/** How an alteration ended. */
export type Alteration = 'done' | 'changed' | 'missing-or-taken';
const THE_TABLE_HAS_BEEN_MODIFIED = /The table has been modified/;

export interface MetastoreOptions {
  /** The user that is said to call; nobody checks it. */
  readonly user?: string | undefined;
  /** Time within which a call must have been answered. */
  readonly answerMs: number;
}

export class Metastore {
  readonly #addresses: readonly HiveAddress[];
  readonly #user: string | undefined;
  readonly #answerMs: number;
  readonly #idle: HiveConnection[] = [];
  /** Methods that this metastore does not have. */
  readonly #unknown = new Set<string>();

  constructor(addresses: readonly HiveAddress[], { user, answerMs }: MetastoreOptions) {
    this.#addresses = addresses;
    this.#user = user;
    this.#answerMs = answerMs;
  }

  async databases(): Promise<readonly string[]> {
    return listOf(await this.#read('get_all_databases', {})).map((name) => textOf(name) ?? '');
  }

  /** Null: there is none. */
  async database(name: string): Promise<Fields | null> {
    return await this.#found('get_database', { 1: text(name) });
  }

  async createDatabase(database: Fields): Promise<Creation> {
    const refusals = { [ALREADY_EXISTS]: 'exists', [INVALID_OBJECT]: 'invalid' } as const;
    return await this.#change('create_database', { 1: { type: TYPE.struct, value: database } }, 'done', refusals);
  }

  /** Neither files nor tables go with it: one that has tables is not dropped. */
  async dropDatabase(name: string): Promise<boolean> {
    const [NO_SUCH, NOT_EMPTY] = [1, 2];
    const parameters = { 1: text(name), 2: bool(false), 3: bool(false) };
    return await this.#change('drop_database', parameters, true, { [NO_SUCH]: false, [NOT_EMPTY]: false });
  }

  /** Null: there is none. */
  async table(database: string, name: string): Promise<Fields | null> {
    const request = struct({ 1: text(database), 2: text(name), 3: CAPABILITIES });
    return await this.#either(
      async () => {
        const answer = await this.#found('get_table_req', { 1: request });
        return answer === null ? null : structOf(answer.get(1));
      },
      'get_table_req',
      async () => await this.#found('get_table', { 1: text(database), 2: text(name) }),
    );
  }

  /** Every table of a database, of any kind. */
  async *tables(database: string): AsyncGenerator<Fields> {
    const names = listOf(await this.#read('get_all_tables', { 1: text(database) })).map((name) => textOf(name) ?? '');
    for (let first = 0; first < names.length; first += TABLES_PER_CALL) {
      const some = texts(names.slice(first, first + TABLES_PER_CALL));
      const request = struct({ 1: text(database), 2: some, 3: CAPABILITIES });
      const tables = await this.#either(
        async () => listOf(structOf(await this.#read('get_table_objects_by_name_req', { 1: request })).get(1)),
        'get_table_objects_by_name_req',
        async () => listOf(await this.#read('get_table_objects_by_name', { 1: text(database), 2: some })),
      );
      for (const table of tables) yield structOf(table);
    }
  }

  async createTable(table: Fields): Promise<Creation> {
    const NO_DATABASE = 4;
    const refusals = {
      [ALREADY_EXISTS]: 'exists',
      [INVALID_OBJECT]: 'invalid',
      [NO_DATABASE]: 'without-database',
    } as const;
    return await this.#change('create_table', { 1: { type: TYPE.struct, value: table } }, 'done', refusals);
  }

  /** Forgets a table; its files stay. False: there is none. */
  async dropTable(database: string, name: string): Promise<boolean> {
    const NO_SUCH = 1;
    const parameters = { 1: text(database), 2: text(name), 3: bool(false) };
    return await this.#change('drop_table', parameters, true, { [NO_SUCH]: false });
  }

  /**
   * Replaces a table as a whole, also its name.
   * @param expected a parameter that the table must still have; a metastore before 4.0 ignores it
   */
  async alterTable(
    database: string,
    name: string,
    table: Fields,
    expected: { readonly key: string; readonly value: string },
  ): Promise<Alteration> {
    const properties = [
      ['DO_NOT_UPDATE_STATS', 'true'],
      ['expected_parameter_key', expected.key],
      ['expected_parameter_value', expected.value],
    ] as const;
    const parameters = {
      1: text(database),
      2: text(name),
      3: { type: TYPE.struct, value: table },
      4: struct({ 1: textMap(properties) }),
    };
    const INVALID_OPERATION = 1;
    try {
      return await this.#change<Alteration>('alter_table_with_environment_context', parameters, 'done', {
        [INVALID_OPERATION]: 'missing-or-taken',
      });
    } catch (error) {
      if (error instanceof HiveFailure && THE_TABLE_HAS_BEEN_MODIFIED.test(error.message)) return 'changed';
      throw error;
    }
  }

  /**
   * Asks for a table's exclusive lock; it is had, or waited for. A lock whose answer was lost is looked for by a text of its own, as Java does:
   * otherwise nobody gives it back.
   */
  async lock(database: string, name: string, host: string): Promise<LockOfTable> {
    const agent = `moraine-${randomUUID()}`;
    const [EXCLUSIVE, TABLE, NO_TRANSACTION] = [3, 2, 6];
    const component = struct({
      1: i32(EXCLUSIVE),
      2: i32(TABLE),
      3: text(database),
      4: text(name),
      6: i32(NO_TRANSACTION),
      7: bool(false),
    });
    const request = struct({
      1: list(TYPE.struct, [component]),
      3: text(this.#user ?? 'moraine'),
      4: text(host),
      5: text(agent),
    });
    try {
      const answer = structOf(await this.#call('lock', fieldsOf({ 1: request })));
      return lockOf(answer.get(1), answer.get(2));
    } catch (error) {
      if (!(error instanceof HiveFailure) || error.outcome !== 'unknown') throw error;
      const found = await this.#lockOfAgent(database, name, agent);
      if (found === undefined) throw error;
      return found;
    }
  }

  async #lockOfAgent(database: string, name: string, agent: string): Promise<LockOfTable | undefined> {
    const FIELD = { id: 1, state: 5, agent: 13 };
    const request = struct({ 1: text(database), 2: text(name) });
    const locks = listOf(structOf(await this.#read('show_locks', { 1: request })).get(1)).map(structOf);
    const own = locks.find((lock) => textOf(lock.get(FIELD.agent)) === agent);
    return own && lockOf(own.get(FIELD.id), own.get(FIELD.state));
  }

  async checkLock(id: bigint): Promise<LockState> {
    const answer = structOf(await this.#read('check_lock', { 1: struct({ 1: i64(id) }) }));
    return lockOf(answer.get(1), answer.get(2)).state;
  }

  /** @throws HiveFailure `refused`: the lock is gone */
  async heartbeat(id: bigint): Promise<void> {
    await this.#read('heartbeat', { 1: struct({ 1: i64(id) }) });
  }

  async unlock(id: bigint): Promise<void> {
    await this.#read('unlock', { 1: struct({ 1: i64(id) }) });
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  async #found(
    method: keyof typeof NO_SUCH_OBJECT,
    parameters: Readonly<Record<number, Value>>,
  ): Promise<Fields | null> {
    try {
      return structOf(await this.#read(method, parameters));
    } catch (error) {
      if (error instanceof HiveFailure && error.exception === NO_SUCH_OBJECT[method]) return null;
      throw error;
    }
  }

  /** Sent once. */
  async #change<T>(
    method: string,
    parameters: Readonly<Record<number, Value>>,
    done: T,
    refusals: Refusals<T>,
  ): Promise<T> {
    try {
      await this.#call(method, fieldsOf(parameters));
      return done;
    } catch (error) {
      if (!(error instanceof HiveFailure) || error.exception === undefined) throw error;
      const refusal = refusals[error.exception];
      if (refusal !== undefined) return refusal;
      throw new HiveFailure('unknown', error.message, { exception: error.exception, cause: error });
    }
  }

  async #either<T>(first: () => Promise<T>, method: string, other: () => Promise<T>): Promise<T> {
    if (this.#unknown.has(method)) return await other();
    try {
      return await first();
    } catch (error) {
      if (!(error instanceof HiveFailure) || !error.isUnknownMethod) throw error;
      this.#unknown.add(method);
      return await other();
    }
  }

  /** Calls that may be repeated are tried once more on another connection: an idle one may have been closed meanwhile. */
  async #read(method: string, parameters: Readonly<Record<number, Value>>): Promise<Value | undefined> {
    try {
      return await this.#call(method, fieldsOf(parameters));
    } catch (error) {
      if (!(error instanceof HiveFailure) || error.outcome !== 'unknown') throw error;
      this.close();
      return await this.#call(method, fieldsOf(parameters));
    }
  }

  async #call(method: string, parameters: Fields): Promise<Value | undefined> {
    const connection = await this.#connection();
    try {
      return await connection.call(method, parameters);
    } finally {
      if (connection.isOpen && this.#idle.length < MAX_IDLE) this.#idle.push(connection);
      else connection.close();
    }
  }

  async #connection(): Promise<HiveConnection> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) if (idle.isOpen) return idle;
    const failures: unknown[] = [];
    for (const address of this.#addresses) {
      try {
        return await this.#connected(address);
      } catch (error) {
        failures.push(error);
      }
    }
    throw failures[0];
  }

  /** @throws HiveFailure `unreached`, also if the metastore does not take the user: no call has been made yet */
  async #connected(address: HiveAddress): Promise<HiveConnection> {
    const connection = await HiveConnection.open(address, this.#answerMs);
    if (this.#user === undefined) return connection;
    try {
      await connection.call('set_ugi', fieldsOf({ 1: text(this.#user), 2: texts([]) }));
      return connection;
    } catch (error) {
      connection.close();
      throw new HiveFailure('unreached', error instanceof Error ? error.message : String(error), { cause: error });
    }
  }
}

function lockOf(id: Value | undefined, state: Value | undefined): LockOfTable {
  if (id?.type !== TYPE.i64 || state?.type !== TYPE.i32) throw new HiveFailure('unknown', 'its answer has no lock');
  const [ACQUIRED, WAITING] = [1, 2];
  return { id: id.value, state: state.value === ACQUIRED ? 'acquired' : state.value === WAITING ? 'waiting' : 'gone' };
}
