/**
 * Every access of a run to files, catalog or query engine is a numbered point, at which a test lets the process die, or the catalog
 * answer late, twice or not at all.
 */
import type { Engine } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { Location } from '../../locations/index.js';
import {
  type DiskCache,
  type ExpectedFile,
  type FileCache,
  type FileIO,
  type FilePage,
  type FileRange,
  type FileStatus,
  type FileTail,
  joined,
  type LocalFiles,
} from '../../storage/index.js';
import { type Access, type Gate, isWrite } from '../simulation/gate.js';

export type PointFault =
  /** The process dies just before. */
  | 'killed before'
  /** Writes only: the process dies just after. */
  | 'killed after'
  /** Changes of the catalog only: it is done, and nobody hears so. */
  | 'answer lost'
  /** Changes of the catalog only: nobody hears so, and it is done when the run has been started anew. */
  | 'late'
  /** Changes of the catalog only: it is done twice. */
  | 'twice';

export interface CrashPoint {
  /** The first access is 1. */
  readonly number: number;
  readonly fault: PointFault;
}

const OF_CATALOG: ReadonlySet<PointFault> = new Set(['answer lost', 'late', 'twice']);

/** Every point of a run with these accesses. */
export function allPoints(accesses: readonly Access[]): readonly CrashPoint[] {
  return accesses.flatMap((access, index) => {
    const faults: PointFault[] = ['killed before'];
    if (isWrite(access)) faults.push('killed after');
    if (access.operation === 'change') faults.push(...OF_CATALOG);
    return faults.map((fault) => ({ number: index + 1, fault }));
  });
}

/** Stands for the end of a process: whatever it does afterwards has no effect. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

const unknownOutcome = () => new MoraineError('COMMIT_STATE_UNKNOWN', 'No answer from the catalog.');

/** The accesses of one process. */
export class ProcessBoundary {
  readonly #point: CrashPoint | null;
  readonly accesses: Access[] = [];
  isDead = false;
  readonly #inFlight = new Set<Promise<unknown>>();
  /** The writes that take place after the process has ended. */
  late: () => Promise<unknown> = () => Promise.resolve();

  constructor(point: CrashPoint | null) {
    this.#point = point;
  }

  readonly gate: Gate = async <T>(access: Access, apply: () => T | Promise<T>): Promise<T> => {
    if (this.isDead) throw new Killed();
    this.accesses.push(access);
    const isFaulty = this.accesses.length === this.#point?.number;
    const answer = isFaulty ? this.#fault(access, apply) : Promise.resolve(apply());
    this.#inFlight.add(answer);
    try {
      const result = await answer;
      if (this.isDead) throw new Killed();
      return result;
    } finally {
      this.#inFlight.delete(answer);
    }
  };

  /** Waits for what had been asked when the process ended: a server carries it out all the same. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    await this.late().catch(() => undefined);
  }

  async #fault<T>(access: Access, apply: () => T | Promise<T>): Promise<T> {
    const isOfCatalog = this.#point !== null && OF_CATALOG.has(this.#point.fault);
    if (isOfCatalog && access.operation !== 'change') throw new Error('the run has other accesses than before');
    switch (this.#point?.fault) {
      case 'answer lost':
        await apply();
        throw unknownOutcome();
      case 'late':
        this.late = async () => apply();
        throw unknownOutcome();
      case 'twice': {
        const result = await apply();
        await Promise.resolve()
          .then(apply)
          .catch(() => undefined);
        return result;
      }
      case 'killed after':
        await apply();
        this.isDead = true;
        throw new Killed();
      default:
        this.isDead = true;
        throw new Killed();
    }
  }
}

/** Real files behind a gate. */
export class GatedFileIO implements FileIO {
  readonly cache: FileCache;
  readonly #real: FileIO;
  readonly #gate: Gate;

  constructor(real: FileIO, gate: Gate) {
    this.#real = real;
    this.#gate = gate;
    this.cache = real.cache;
  }

  localFiles(at: Location): LocalFiles | null {
    const localFiles = this.#real.localFiles(at);
    return (
      localFiles && {
        pathOf: (location) => localFiles.pathOf(location),
        links: (location) => this.#pass('list', location, () => localFiles.links(location)),
        prepareFolder: (location) => this.#pass('create', location, () => localFiles.prepareFolder(location)),
        adopt: (files) => this.#pass('create', files.at(0)?.location ?? '', () => localFiles.adopt(files)),
      }
    );
  }

  diskCache(location: Location): DiskCache | null {
    return this.#real.diskCache(location);
  }

  scope(location: Location): string {
    return this.#real.scope(location);
  }

  canonical(location: Location): Promise<Location> {
    return this.#real.canonical(location);
  }

  stat(location: Location): Promise<FileStatus> {
    return this.#pass('stat', location, () => this.#real.stat(location));
  }

  read(location: Location, options?: ExpectedFile & { readonly maxBytes?: number }): Promise<Uint8Array> {
    return this.#pass('read', location, () => this.#real.read(location, options));
  }

  async *readRange(location: Location, range: FileRange & ExpectedFile): AsyncGenerator<Uint8Array> {
    yield await this.#pass('read', location, () => joined(this.#real.readRange(location, range)));
  }

  readTail(location: Location, length: number): Promise<FileTail> {
    return this.#pass('read', location, () => this.#real.readTail(location, length));
  }

  create(location: Location, content: Uint8Array): Promise<void> {
    return this.#pass('create', location, () => this.#real.create(location, content));
  }

  createFrom(location: Location, content: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#pass('create', location, () => this.#real.createFrom(location, content));
  }

  requireExclusiveCreation(location: Location): Promise<void> {
    return this.#real.requireExclusiveCreation(location);
  }

  abandonCreations(location: Location, beforeMs: number): Promise<void> {
    return this.#real.abandonCreations(location, beforeMs);
  }

  delete(...locations: readonly Location[]): Promise<void> {
    return this.#pass('delete', locations.join(' '), () => this.#real.delete(...locations));
  }

  listPage(location: Location, options: { readonly maxFiles: number; readonly after?: string }): Promise<FilePage> {
    return this.#pass('list', location, () => this.#real.listPage(location, options));
  }

  #pass<T>(operation: Access['operation'], target: string, apply: () => Promise<T>): Promise<T> {
    return this.#gate({ operation, target }, apply);
  }
}

/** The engine with one point before each use of a connection and one before each statement that writes files. */
export function gatedEngine(engine: Engine, gate: Gate): Engine {
  const withConnection: Engine['withConnection'] = async (use, options) => {
    await gate({ operation: 'read', target: 'connection' }, () => undefined);
    return engine.withConnection((connection) => use(behindGate(connection, ['run', 'rows', 'stream'], gate)), options);
  };
  return new Proxy(engine, {
    get: (target, property) => (property === 'withConnection' ? withConnection : memberOf(target, property)),
  });
}

function behindGate<T extends object>(object: T, methods: readonly string[], gate: Gate): T {
  return new Proxy(object, {
    get: (target, property) => {
      const value = memberOf(target, property);
      if (typeof value !== 'function' || !methods.includes(String(property))) return value;
      return (sql: unknown, ...rest: unknown[]) => {
        const call = () => (value as (...all: unknown[]) => unknown)(sql, ...rest);
        const copies = typeof sql === 'string' && /^\s*COPY\b/i.test(sql);
        return copies ? gate({ operation: 'create', target: 'COPY' }, call) : call();
      };
    },
  });
}

/** A member as the object itself has it: private fields know no proxy. */
function memberOf(target: object, property: string | symbol): unknown {
  const value: unknown = Reflect.get(target, property, target);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}
