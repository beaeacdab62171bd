/** Reading definitions from values that came from YAML, JSON or TypeScript. Every problem is reported at once. */

import type { z } from 'zod';
import { didYouMean } from '../../errors/index.js';
import type {
  DefinitionKind,
  Definitions,
  Entity,
  FeatureReference,
  FeatureService,
  FeatureView,
} from './definition.js';
import { entitySchema, featureServiceSchema, featureViewSchema, referenceSchema } from './definition-schema.js';
import { type Problem, throwProblems } from './problem.js';
import { toViewSchedule, viewScheduleSchema } from './view-schedule.js';

/** A path into the value: keys and indexes. */
export type ValuePath = readonly (string | number)[];

/** One file of definitions, already parsed into a value. */
export interface DefinitionSource {
  readonly value: unknown;
  /** Shown in problems. */
  readonly file?: string;
  /** The line, from 1, of the value at a path, where the format has lines. */
  readonly lineOf?: (path: ValuePath) => number | undefined;
}

const SECTIONS = ['entities', 'featureViews', 'featureServices'] as const;
type Section = (typeof SECTIONS)[number];

/**
 * Reads definitions from one or more files as one set. References between them are not followed here: what a file leaves
 * out may be registered already (see `checkReferences`).
 * @throws DEFINITION_INVALID listing every problem with its file, path and line
 */
export function parseDefinitions(sources: readonly DefinitionSource[]): Definitions {
  const reader = new DefinitionReader();
  for (const source of sources) reader.read(source);
  if (reader.problems.length > 0) throwProblems(reader.problems);
  return { entities: reader.entities, featureViews: reader.featureViews, featureServices: reader.featureServices };
}

/** Reads one reference: `view`, `view:feature` or an object. Undefined if it is none. */
export function parseFeatureReference(value: unknown): FeatureReference | undefined {
  const parsed = referenceSchema.safeParse(value);
  return parsed.success ? compact(parsed.data) : undefined;
}

/** Reads one definition as the registry stored it. Undefined if it is none. */
export function parseStoredDefinition(
  kind: DefinitionKind,
  value: unknown,
): Entity | FeatureView | FeatureService | undefined {
  if (kind === 'entity') return stored(entitySchema.safeParse(value), toEntity);
  if (kind === 'featureView') return stored(featureViewSchema.safeParse(value), toFeatureView);
  return stored(featureServiceSchema.safeParse(value), toFeatureService);
}

function stored<T, D>(result: z.ZodSafeParseResult<T>, build: (data: T) => D): D | undefined {
  return result.success ? build(result.data) : undefined;
}

class DefinitionReader {
  readonly entities = new Map<string, Entity>();
  readonly featureViews = new Map<string, FeatureView>();
  readonly featureServices = new Map<string, FeatureService>();
  readonly problems: Problem[] = [];

  read(source: DefinitionSource): void {
    const { value } = source;
    if (value === null || value === undefined) return;
    if (!isObject(value)) {
      this.#report(source, [], 'must be an object with entities, featureViews and featureServices');
      return;
    }
    for (const key of Object.keys(value)) {
      if (!(SECTIONS as readonly string[]).includes(key))
        this.#report(source, [key], `unknown key. ${didYouMean(key, SECTIONS)}`);
    }
    this.#section(source, value, 'entities', entitySchema, this.entities, toEntity, (entity) => [entity.joinKeys]);
    this.#section(source, value, 'featureViews', featureViewSchema, this.featureViews, toFeatureView, (view) => [
      view.entities,
      (view.features ?? []).map((feature) => feature.name),
    ]);
    this.#section(
      source,
      value,
      'featureServices',
      featureServiceSchema,
      this.featureServices,
      toFeatureService,
      () => [],
    );
  }

  #section<S extends z.ZodObject, D extends { readonly name: string }>(
    source: DefinitionSource,
    value: object,
    section: Section,
    schema: S,
    into: Map<string, D>,
    build: (data: z.infer<S>) => D,
    uniqueNames: (definition: D) => readonly (readonly string[])[],
  ): void {
    const items: unknown = Reflect.get(value, section);
    if (items === undefined || items === null) return;
    if (!Array.isArray(items)) {
      this.#report(source, [section], 'must be a list');
      return;
    }
    items.forEach((item: unknown, index) => {
      const parsed = schema.safeParse(item);
      if (!parsed.success) {
        this.#reportIssues(source, [section, index], item, schema, parsed.error);
        return;
      }
      const definition = build(parsed.data);
      const problem = into.has(definition.name)
        ? `'${definition.name}' is defined twice`
        : listedTwice(uniqueNames(definition));
      if (problem !== undefined) this.#report(source, [section, index], problem, definition.name);
      else into.set(definition.name, definition);
    });
  }

  #reportIssues(
    source: DefinitionSource,
    base: ValuePath,
    item: unknown,
    schema: z.ZodObject,
    error: z.ZodError,
  ): void {
    const name = isObject(item) && 'name' in item && typeof item.name === 'string' ? item.name : undefined;
    for (const issue of error.issues) {
      const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
      if (issue.code !== 'unrecognized_keys') {
        this.#report(source, path, issue.message, name);
        continue;
      }
      const known = knownKeys(schema, issue.path);
      for (const key of issue.keys)
        this.#report(source, [...path, key], `unknown key. ${didYouMean(key, known)}`, name);
    }
  }

  #report(source: DefinitionSource, path: ValuePath, message: string, name?: string): void {
    const line = source.lineOf?.(path);
    const shown = path.map((part, index) => (index === 1 && name !== undefined ? name : String(part))).join('.');
    const where = shown === '' ? 'definitions' : shown;
    const file = source.file === undefined ? where : `${source.file}: ${where}`;
    this.problems.push({ path: file, message, ...(line === undefined ? {} : { line }) });
  }
}

/** The keys that an object at a path may have, for a suggestion. */
function knownKeys(schema: z.ZodObject, path: readonly PropertyKey[]): readonly string[] {
  const [first] = path;
  if (first === undefined) return Object.keys(schema.shape);
  if (first === 'source') return Object.keys(featureViewSchema.shape.source.shape);
  if (first === 'schedule') return Object.keys(viewScheduleSchema.shape);
  return schema === featureServiceSchema ? ['view', 'features', 'alias', 'joinKeyMap'] : ['name', 'type'];
}

/** A name that is twice in one of the lists. */
function listedTwice(lists: readonly (readonly string[])[]): string | undefined {
  for (const list of lists) {
    const twice = list.find((name, index) => list.indexOf(name) !== index);
    if (twice !== undefined) return `'${twice}' is listed twice`;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Removes members that are undefined, as exact optional members must not be. */
function compact<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}

type Defined<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

const toEntity = (data: z.infer<typeof entitySchema>): Entity => compact(data);

function toFeatureView(data: z.infer<typeof featureViewSchema>): FeatureView {
  const { source, ttl, features, schedule, ...rest } = data;
  return {
    ...compact(rest),
    source: compact(source),
    ttlMs: ttl,
    features: features?.map((feature) => compact(feature)),
    ...(schedule === undefined ? {} : { schedule: toViewSchedule(schedule) }),
  };
}

function toFeatureService(data: z.infer<typeof featureServiceSchema>): FeatureService {
  const { features, ...rest } = data;
  return { ...compact(rest), features: features.map((reference) => compact(reference)) };
}
