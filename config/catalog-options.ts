/** Catalogs as `moraine.yaml` has them. */
import { z } from 'zod';

const text = z.string().min(1, 'must not be empty');
const scalar = z.union([text, z.number(), z.boolean()]);

const hasScheme = (value: string): boolean => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(value);

/** A place of tables: a folder of this machine, or a bucket with or without a prefix. */
export const isTablePlace = (value: string): boolean =>
  !hasScheme(value) || value.startsWith('file:/') || /^s3[an]?:\/\/./.test(value);
export const TABLE_PLACE = 'must be a folder of this machine, or s3://BUCKET/PREFIX';

const POSTGRES = /^postgres(ql)?(\+\w+)?:\/\//;

const isDatabase = (value: string): boolean =>
  !hasScheme(value) || /^sqlite:\/\/\/./.test(value) || (POSTGRES.test(value) && URL.canParse(value.replace('+', '-')));
const DATABASE = 'must be a SQLite file (a path, or sqlite:///PATH), or postgresql://USER:PASSWORD@HOST/DATABASE';

const isAddress = (value: string): boolean => /^https?:\/\/[^/]/.test(value) && URL.canParse(value);
const ADDRESS = 'must be the address of a REST catalog, such as https://host/path';

/** Options of a REST catalog, under the names that PyIceberg and Java give them. */
const REST_OPTIONS = [
  'token',
  'credential',
  'oauth2-server-uri',
  'scope',
  'audience',
  'resource',
  'token-refresh-enabled',
  'prefix',
  'rest.client.socket-timeout-ms',
  'rest.sigv4-enabled',
  'rest.signing-name',
  'rest.signing-region',
  'rest.access-key-id',
  'rest.secret-access-key',
  'rest.session-token',
] as const;

/** Of them, and of headers, those that must not be written out in a file that people share. */
export const isSecretRestOption = (name: string): boolean =>
  ['token', 'credential', 'rest.secret-access-key', 'rest.session-token'].includes(name) ||
  /^header\.(authorization|.*(key|token|secret).*)$/i.test(name);

const isRestOption = (name: string): boolean =>
  (REST_OPTIONS as readonly string[]).includes(name) || /^header\.[A-Za-z0-9-]+$/.test(name);

export const catalogSchema = z
  .strictObject({
    type: z.enum(['sql', 'rest']).optional(),
    uri: text.optional(),
    warehouse: text.optional(),
    options: z.record(z.string(), scalar).optional(),
  })
  .superRefine(({ type = 'sql', uri, warehouse, options }, context) => {
    const wrong = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
    if (type === 'rest') {
      if (uri === undefined || !isAddress(uri)) wrong('uri', ADDRESS);
      for (const name of Object.keys(options ?? {})) {
        if (isRestOption(name)) continue;
        context.addIssue({
          code: 'custom',
          path: ['options', name],
          message: `is not an option; there are ${REST_OPTIONS.join(', ')} and header.NAME`,
        });
      }
      return;
    }
    if (uri !== undefined && !isDatabase(uri)) wrong('uri', DATABASE);
    if (warehouse !== undefined && !isTablePlace(warehouse)) wrong('warehouse', TABLE_PLACE);
    if (options !== undefined) wrong('options', 'are for catalogs of type rest');
  });
