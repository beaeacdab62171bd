/** Clients of a store: one with the project's own credentials, and one for each access that a catalog gave. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';
import type { HeldGrant, PrefixGrant, StorageGrants } from '../storage-grants.js';
import { countTraffic, type Traffic } from '../traffic.js';
import { silenceVersionWarning } from './aws-client.js';
import { remoteSigner } from './remote-signer.js';
import { statusOf } from './s3-error.js';
import { type StoreObject, storeLocation } from './s3-location.js';
import { hasCredentials } from './s3-options.js';
import type { StorageOptions, StoreDialect } from './store-dialect.js';

/** Answers to requests whose credentials the store does not take, or takes no longer. Those to HEAD do not say more. */
const REFUSALS: readonly (number | undefined)[] = [400, 401, 403];

export class S3Clients {
  readonly #dialect: StoreDialect;
  readonly #options: StorageOptions;
  readonly #grants: StorageGrants | undefined;
  readonly #traffic: Traffic;
  #own: S3Client | undefined;
  readonly #granted = new WeakMap<HeldGrant, Map<string, S3Client>>();

  /** @param grants used unless the options have credentials of their own */
  constructor(dialect: StoreDialect, options: StorageOptions, grants: StorageGrants | undefined, traffic: Traffic) {
    silenceVersionWarning();
    this.#dialect = dialect;
    this.#options = options;
    this.#grants = hasCredentials(options) ? undefined : grants;
    this.#traffic = traffic;
    // What is wrong with the options is said when they are given.
    if (this.#grants === undefined) this.#own = this.#ownClient();
  }

  /** Tells what others may read of files that were fetched through these clients. */
  get scope(): string | undefined {
    return this.#grants?.scope;
  }

  /** Asks for something of an object. Credentials that a catalog gave, and that the store refuses, are asked for again once. */
  async ask<T>(object: StoreObject, request: (client: S3Client) => Promise<T>): Promise<T> {
    const location = storeLocation(object);
    const held = this.#grants?.find(location);
    const grant = await held?.fresh(location);
    if (held === undefined || grant === undefined) {
      this.#own ??= this.#ownClient();
      return await request(this.#own);
    }
    try {
      return await request(this.#clientOf(held, grant));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (!(await held.refused(grant))) throw explained(error, location);
    }
    return await request(this.#clientOf(held, held.at(location) ?? grant)).catch((error: unknown) => {
      throw explained(error, location);
    });
  }

  /** What is the same for objects of a bucket that one request may be about; undefined: the project's own credentials. */
  accessOf(object: StoreObject): PrefixGrant | undefined {
    const location = storeLocation(object);
    return this.#grants?.find(location)?.at(location);
  }

  #ownClient(): S3Client {
    this.#dialect.requireAccess(this.#options);
    return this.#client(this.#options);
  }

  #clientOf(held: HeldGrant, { prefix, options, sign }: PrefixGrant): S3Client {
    const clients = this.#granted.get(held) ?? new Map<string, S3Client>();
    this.#granted.set(held, clients);
    // Own settings come first: a store may have another address here than for the catalog.
    const settings = { ...withoutCredentials(options), ...this.#options };
    const key = JSON.stringify([prefix, settings]);
    const known = clients.get(key);
    if (known !== undefined) return known;
    const signed =
      sign === undefined
        ? undefined
        : remoteSigner(async (request) => {
            const { sign: newest = sign } = held.at(prefix) ?? {};
            return await newest(request);
          });
    const client = this.#client(settings, {
      ...this.#dialect.grantedAccess(async () => (await held.fresh(prefix))?.options ?? {}),
      ...(signed === undefined ? {} : { signer: signed }),
    });
    clients.set(key, client);
    return client;
  }

  #client(options: StorageOptions, access: Pick<S3ClientConfig, 'credentials' | 'signer'> = {}) {
    const client = new S3Client({ ...this.#dialect.clientConfig(options), ...access });
    this.#dialect.adapt(client, options);
    client.middlewareStack.add(
      (next) => (sent) => {
        countTraffic(this.#traffic, 'requests', 1);
        return next(sent);
      },
      // The step that runs for each attempt.
      { step: 'finalizeRequest', name: 'countRequests', priority: 'low' },
    );
    return client;
  }
}

/** Refused by the store, or not signed by the catalog. */
const isRefusal = (error: unknown): boolean =>
  REFUSALS.includes(statusOf(error)) || isMoraineError(error, 'STORAGE_UNAVAILABLE');

/** The advice for credentials of one's own does not help here. */
function explained(error: unknown, location: Location): unknown {
  const status = statusOf(error);
  if (status !== 401 && status !== 403) return error;
  const message = `The store refuses the access to ${printableLocation(location)} that the catalog gave with its table (HTTP ${status}). Let the catalog give this right, or set credentials in storage.options.`;
  return new MoraineError('STORAGE_UNAVAILABLE', message, { details: { location, httpStatus: status }, cause: error });
}

function withoutCredentials(options: StorageOptions): StorageOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !hasCredentials({ [name]: '' })));
}
