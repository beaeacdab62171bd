/** Request of a compaction, checked, with every default filled in. */
import { z } from 'zod';
import { MoraineError } from '../../errors/index.js';

export const COMPACT_STRATEGIES = ['binpack', 'sort', 'latest'] as const;
export type CompactStrategy = (typeof COMPACT_STRATEGIES)[number];

/** Bytes that a rewritten file should have. */
export const DEFAULT_TARGET_BYTES = 512 * 2 ** 20;

/** The manifests of one commit travel as one list. */
const MAX_GROUPS_PER_COMMIT = 1000;

/** Below this a rewrite would make more files than it takes away; one byte would make a file for each row. */
const MIN_TARGET_BYTES = 2 ** 20;

const positive = z.number().int().positive();
const requestSchema = z.strictObject({
  table: z.string().min(1),
  strategy: z.enum(COMPACT_STRATEGIES),
  columns: z.array(z.string().min(1)).min(1).optional(),
  zOrder: z.boolean().optional(),
  where: z.string().min(1).optional(),
  dropExpired: z.boolean().optional(),
  allowTieChange: z.boolean().optional(),
  targetSizeBytes: positive.min(MIN_TARGET_BYTES, `must be at least ${MIN_TARGET_BYTES} (1 MiB)`).optional(),
  maxBytes: positive.optional(),
  partialProgress: positive.max(MAX_GROUPS_PER_COMMIT).optional(),
});

/** A compaction as people, schedules and commands ask for it. */
export interface CompactRequest {
  /** `[CATALOG/]NS.TABLE`. */
  readonly table: string;
  /**
   * `binpack`: small files become large ones. `sort`: rows are ordered besides. `latest`: of an online table, the newest row of
   * each entity and those that are still in the future.
   */
  readonly strategy: CompactStrategy;
  /** For `sort`: columns to sort by, instead of the table's sort order. */
  readonly columns?: readonly string[] | undefined;
  /** For `sort`: by all columns at once, along a z-order curve. */
  readonly zOrder?: boolean | undefined;
  /** Only files that may hold rows for which this is true; of an online table their whole buckets. */
  readonly where?: string | undefined;
  /** For `latest`: rows older than the view's ttl go. */
  readonly dropExpired?: boolean | undefined;
  /** Rewrite files although rows that tie in entity and event time could then win or lose otherwise than before. */
  readonly allowTieChange?: boolean | undefined;
  /** Bytes of a rewritten file, about: at least 1 MiB; 512 MiB by default. */
  readonly targetSizeBytes?: number | undefined;
  /** Bytes to read at most; groups beyond it wait for another run. */
  readonly maxBytes?: number | undefined;
  /** Groups that are committed together; by default a tenth of them, or 1 GiB where that is more. */
  readonly partialProgress?: number | undefined;
}

const EXAMPLE = 'for example {"table": "shop.orders", "strategy": "binpack"}';

/**
 * @param request JSON as it came from outside
 * @throws `INVALID_ARGUMENT` naming every problem
 */
export function parseCompactRequest(request: unknown): CompactRequest {
  const parsed = requestSchema.safeParse(request);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) =>
      path.length === 0 ? message : `"${path.join('.')}": ${message}`,
    );
    throw invalid(`The input of compact is not right: ${problems.join('; ')}; ${EXAMPLE}.`);
  }
  refuseMisfits(parsed.data);
  return parsed.data;
}

function refuseMisfits({ strategy, columns, zOrder, dropExpired }: CompactRequest): void {
  if (strategy !== 'sort' && columns !== undefined)
    throw invalid(`The strategy ${strategy} takes no columns: they are for sort.`);
  if (zOrder === true && (columns?.length ?? 0) < 2) throw invalid('A z-order needs two columns or more.');
  if ((columns?.length ?? 0) > MAX_Z_ORDER_COLUMNS && zOrder === true)
    throw invalid(`A z-order takes at most ${MAX_Z_ORDER_COLUMNS} columns.`);
  if (strategy !== 'latest' && dropExpired === true)
    throw invalid(`The strategy ${strategy} drops no rows: only latest drops expired ones.`);
  if (columns !== undefined && new Set(columns).size < columns.length)
    throw invalid('A column is named twice among those to sort by.');
}

export const MAX_Z_ORDER_COLUMNS = 8;

/** An error about a request that cannot be met. */
export const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
