/** Options of object stores, under the names that PyIceberg and Java give them. */
import { z } from 'zod';

const text = z.string().min(1, 'must not be empty');
const seconds = z.union([z.string(), z.number()]).refine((value) => Number(value) > 0 && Number(value) <= 3600, {
  message: 'must be a number of seconds, at most 3600',
});
const flag = z
  .union([z.boolean(), z.string()])
  .refine((value) => /^(true|false)$/i.test(String(value)), 'must be true or false');
const address = text.refine(
  (value) => /^https?:\/\/[^/]/.test(value) && URL.canParse(value),
  'must be an address such as https://host:9000',
);
const time = z.union([z.string(), z.number()]).refine((value) => Number(value) >= 0, {
  message: 'must be a time in milliseconds since 1970',
});

export const storageOptions = z.strictObject({
  's3.endpoint': address.optional(),
  's3.region': text.optional(),
  's3.access-key-id': text.optional(),
  's3.secret-access-key': text.optional(),
  's3.session-token': text.optional(),
  's3.profile-name': text.optional(),
  's3.role-arn': text.optional(),
  's3.role-session-name': text.optional(),
  's3.anonymous': flag.optional(),
  's3.force-virtual-addressing': flag.optional(),
  's3.path-style-access': flag.optional(),
  's3.connect-timeout': seconds.optional(),
  's3.request-timeout': seconds.optional(),
  's3.proxy-uri': address.optional(),
  's3.requester-pays': flag.optional(),
  's3.sse.type': z.enum(['none', 's3', 'kms', 'dsse-kms']).optional(),
  's3.sse.key': text.optional(),
  'client.region': text.optional(),
  'client.access-key-id': text.optional(),
  'client.secret-access-key': text.optional(),
  'client.session-token': text.optional(),
  'client.profile-name': text.optional(),
  'client.role-arn': text.optional(),
  'client.role-session-name': text.optional(),
  'gcs.service.host': address.optional(),
  'gcs.access-key-id': text.optional(),
  'gcs.secret-access-key': text.optional(),
  'gcs.oauth2.token': text.optional(),
  'gcs.oauth2.token-expires-at': time.optional(),
  'gcs.no-auth': flag.optional(),
  'gcs.project-id': text.optional(),
  'gcs.user-project': text.optional(),
  'gcs.requester-pays': flag.optional(),
  'gcs.proxy-uri': address.optional(),
  'gcs.connect-timeout': seconds.optional(),
  'gcs.request-timeout': seconds.optional(),
});

/** Options that must not be written out in a file that people share. */
export const SECRET_OPTIONS = [
  's3.secret-access-key',
  's3.session-token',
  'client.secret-access-key',
  'client.session-token',
  'gcs.secret-access-key',
  'gcs.oauth2.token',
] as const;

/** Whether an option must not be written out. */
export const isSecretStorageOption = (name: string): boolean => (SECRET_OPTIONS as readonly string[]).includes(name);

/** Whether object stores have an option of this name. */
export const isStorageOption = (name: string): boolean => Object.hasOwn(storageOptions.shape, name);

const OF_GCSFS = 'it is a setting of gcsfs and does nothing here; leave it out';
const OF_CATALOGS = 'a REST catalog gives it with each table; leave it out';

/** Options that others know, and the reason why they are none here. */
const FOREIGN_OPTIONS: Readonly<Record<string, string>> = {
  's3.signer': OF_CATALOGS,
  's3.signer.uri': OF_CATALOGS,
  's3.signer.endpoint': OF_CATALOGS,
  's3.remote-signing-enabled': OF_CATALOGS,
  's3.retry-strategy-impl': 'requests are tried five times; leave it out',
  's3.resolve-region': 'set s3.region',
  's3.sse.md5': 'keys of customers (SSE-C) are not supported; set s3.sse.type: kms',
  ssl: 'set NODE_EXTRA_CA_CERTS to the file of cabundle; certificates of clients are not supported',
  'gcs.access': OF_GCSFS,
  'gcs.consistency': OF_GCSFS,
  'gcs.cache-timeout': OF_GCSFS,
  'gcs.session-kwargs': OF_GCSFS,
  'gcs.default-location': OF_GCSFS,
  'gcs.version-aware': OF_GCSFS,
  'gcs.endpoint': 'its name is gcs.service.host',
  'gcs.encryption-key': 'keys of customers are not supported; give the bucket a default key of Cloud KMS',
  'gcs.decryption-key': 'keys of customers are not supported; give the bucket a default key of Cloud KMS',
};

/** The reason why an option that others know is none here; undefined for names that nobody knows. */
export const reasonAgainst = (name: string): string | undefined =>
  Object.hasOwn(FOREIGN_OPTIONS, name) ? FOREIGN_OPTIONS[name] : undefined;

/** Options of several AWS clients, which stand in for those of S3 that are missing. */
const SHARED = /^client\./;

/** The same options, each under one name. */
export function resolveStorageOptions(options: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const all = Object.entries(options).map(([name, value]) => [name, String(value)] as const);
  const shared = all.filter(([name]) => SHARED.test(name)).map(([name, value]) => [name.replace(SHARED, 's3.'), value]);
  const { 's3.path-style-access': isPath, ...own } = Object.fromEntries(all.filter(([name]) => !SHARED.test(name)));
  const virtual =
    isPath === undefined ? {} : { 's3.force-virtual-addressing': String(isPath.toLowerCase() !== 'true') };
  return { ...(Object.fromEntries(shared) as Record<string, string>), ...virtual, ...own };
}
