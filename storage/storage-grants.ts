/** Access to files that catalogs give, table by table, for as long as it lasts. */
import type { Location } from '../locations/index.js';
import { parseStoreLocation, storeLocation } from './s3/s3-location.js';
import type { StorageOptions } from './s3/store-dialect.js';

/** Access to the files whose locations begin with a prefix. */
export interface PrefixGrant {
  /** The longest one that a location begins with counts. */
  readonly prefix: Location;
  /** The store's options: where it is, and credentials unless requests are signed by the catalog. */
  readonly options: StorageOptions;
  /** When the credentials end, in milliseconds since 1970; undefined: the catalog does not say. */
  readonly expiresMs?: number | undefined;
  /** Signs requests to the store, in place of credentials. */
  readonly sign?: StoreRequestSigner | undefined;
}

/** A request to a store. */
export interface StoreRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Of requests that name in it what they are about; others are not looked into. */
  readonly body?: string;
}

/** Gives the headers that a request must have to be taken. */
export type StoreRequestSigner = (request: StoreRequest) => Promise<Readonly<Record<string, string>>>;

/** What a catalog gives to open the files of one table. */
export interface TableGrant {
  /** The folders of the table: everything below them is its own. */
  readonly folders: readonly Location[];
  readonly prefixes: readonly PrefixGrant[];
  /** Asks the catalog again. What it gives is for the same table, whatever became of the table meanwhile. */
  renew(): Promise<readonly PrefixGrant[]>;
}

/** Credentials are replaced when less than this, or a third of their time, is left: requests on their way, and wrong clocks, need some. */
const RENEW_BEFORE_MS = 300_000;
const RENEW_BEFORE_SHARE = 1 / 3;
/** How long access is used that does not say when it ends: less than the shortest session of AWS. */
const UNTOLD_LIFE_MS = 600_000;
/** A catalog is not asked again so soon: for credentials that a store refuses, that had ended when they came, or that could not be had. */
const YOUNG_MS = 5000;

/** Access to the files of one table, renewed when it is about to end. */
export class HeldGrant {
  #grant: TableGrant;
  #sinceMs: number;
  #renewal: Promise<void> | undefined;
  #failedMs = -Infinity;
  readonly #nowMs: () => number;

  constructor(grant: TableGrant, nowMs: () => number) {
    this.#grant = grant;
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  /** What the catalog gave last for a location; undefined: nothing that covers it. */
  at(location: Location): PrefixGrant | undefined {
    const covering = this.#grant.prefixes.filter(({ prefix }) => location.startsWith(prefix));
    return covering.toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
  }

  /** The same, asked for again if it ends soon. A catalog that does not answer is no error as long as it has not ended. */
  async fresh(location: Location): Promise<PrefixGrant | undefined> {
    const held = this.at(location);
    if (held === undefined || !this.#endsSoon(held)) return held;
    const mayLast = (held.expiresMs ?? Infinity) > this.#nowMs();
    if (mayLast && this.#nowMs() - this.#failedMs < YOUNG_MS) return held;
    try {
      await this.#renew();
    } catch (error) {
      this.#failedMs = this.#nowMs();
      if (!mayLast) throw error;
    }
    return this.at(location);
  }

  /** Something newer from the catalog takes the place of what is held. */
  replace(grant: TableGrant): void {
    this.#grant = grant;
    this.#sinceMs = this.#nowMs();
  }

  /** A store refused what was held. Whether there is something else now, so that it is worth another try. */
  async refused(used: PrefixGrant): Promise<boolean> {
    if (!this.#grant.prefixes.includes(used)) return true;
    if (this.#nowMs() - this.#sinceMs < YOUNG_MS) return false;
    await this.#renew();
    return true;
  }

  #endsSoon({ expiresMs = this.#sinceMs + UNTOLD_LIFE_MS }: PrefixGrant): boolean {
    const lifeMs = expiresMs - this.#sinceMs;
    // The clock of this machine, or of the catalog, is wrong: the store knows.
    if (lifeMs <= 0) return this.#nowMs() - this.#sinceMs >= YOUNG_MS;
    const before = Math.min(RENEW_BEFORE_MS, lifeMs * RENEW_BEFORE_SHARE);
    return this.#nowMs() >= expiresMs - before;
  }

  /** All who wait for a renewal wait for the same one. */
  async #renew(): Promise<void> {
    this.#renewal ??= this.#ask();
    try {
      await this.#renewal;
    } finally {
      this.#renewal = undefined;
    }
  }

  async #ask(): Promise<void> {
    const asked = this.#grant;
    const prefixes = await asked.renew();
    // One that came with an answer meanwhile is as good.
    if (this.#grant === asked) this.replace({ ...asked, prefixes });
  }
}

export interface StorageGrantsOptions {
  /** As {@link StorageGrants} has it. */
  readonly scope: string;
  /** As {@link StorageGrants} has it; the project has none unless given. */
  readonly addressAt?: (location: Location) => StorageOptions;
  /** The clock by which credentials end. */
  readonly nowMs?: () => number;
}

/** The access that a project's catalogs have given it. */
export class StorageGrants {
  /** Who asks which catalogs: files that were fetched in one name are not for others. Nothing of it is a secret. */
  readonly scope: string;
  /** The project's own address of the store that has a location, under the name of its option; it counts before the one that catalogs name. */
  readonly addressAt: (location: Location) => StorageOptions;
  readonly #nowMs: () => number;
  readonly #tables = new Map<string, { readonly held: HeldGrant; readonly folders: readonly string[] }>();
  readonly #byFolder = new Map<string, HeldGrant>();

  constructor({ scope, addressAt = () => ({}), nowMs = Date.now }: StorageGrantsOptions) {
    this.scope = scope;
    this.addressAt = addressAt;
    this.#nowMs = nowMs;
  }

  /** @param table its name, and that of its catalog */
  set(table: string, grant: TableGrant): void {
    const folders = grant.folders.flatMap(folderOf);
    const known = this.#tables.get(table);
    if (known !== undefined && known.folders.join('\n') === folders.join('\n')) return known.held.replace(grant);
    for (const folder of known?.folders ?? []) this.#byFolder.delete(folder);
    const held = new HeldGrant(grant, this.#nowMs);
    this.#tables.set(table, { held, folders });
    for (const folder of folders) this.#byFolder.set(folder, held);
  }

  /** Whether something was given for a table. */
  has(table: string): boolean {
    return this.#tables.has(table);
  }

  /** The access to a file or folder: that of the table whose folder is the nearest around it. */
  find(location: Location): HeldGrant | undefined {
    for (let folder = location; folder.length > 's3://'.length; ) {
      const held = this.#byFolder.get(folder);
      if (held !== undefined) return held;
      folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
    }
    return undefined;
  }
}

/** The folder as {@link storeLocation} spells it; none for locations of other storage, which nobody needs access for. */
function folderOf(location: Location): string[] {
  try {
    return [storeLocation(parseStoreLocation(location))];
  } catch {
    return [];
  }
}
