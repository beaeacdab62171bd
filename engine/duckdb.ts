/**
 * DuckDB's binding, loaded when it is first used: loading it takes more time than all other work of a command that only lists.
 * A CommonJS package is loaded three times faster by `require` than by `import`, which first parses each of its files for names.
 */
import { createRequire } from 'node:module';
import type * as Api from '@duckdb/node-api';
import type Bindings from '@duckdb/node-bindings';

const require = createRequire(import.meta.url);

let api: typeof Api | undefined;
let bindings: typeof Bindings | undefined;

export const duckdb = {
  /** The binding's classes, types and constructors of values. */
  get api(): typeof Api {
    // A copy, since the package's exports are getters.
    api ??= { ...(require('@duckdb/node-api') as typeof Api) };
    return api;
  },

  /** DuckDB's C interface, for what the binding's classes leave out. */
  get bindings(): typeof Bindings {
    bindings ??= require('@duckdb/node-bindings') as typeof Bindings;
    return bindings;
  },
};
