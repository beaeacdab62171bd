/** Options of an object store, under the names that PyIceberg and Java give them. */
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

export const storageOptions = z.strictObject({
  's3.endpoint': address.optional(),
  's3.region': text.optional(),
  's3.access-key-id': text.optional(),
  's3.secret-access-key': text.optional(),
  's3.session-token': text.optional(),
  's3.profile-name': text.optional(),
  's3.force-virtual-addressing': flag.optional(),
  's3.connect-timeout': seconds.optional(),
  's3.request-timeout': seconds.optional(),
});

/** Options that must not be written out in a file that people share. */
export const SECRET_OPTIONS = ['s3.secret-access-key', 's3.session-token'] as const;

/** Whether object stores have an option of this name. */
export const isStorageOption = (name: string): boolean => Object.hasOwn(storageOptions.shape, name);
