/**
 * Definitions in TypeScript. They have the same keys as in YAML and JSON, but a feature or entity that does not exist does
 * not compile. Nothing is checked at run time here: `parseDefinitions` reads the values as it reads YAML.
 */
import type { EngineType } from '../../reduction/index.js';
import type { PartitionStrategy } from './definition.js';
import type { ScheduledRuns, ScheduleOverlap } from './view-schedule.js';

/** A duration such as `6h`, `2d` or `PT6H`. */
export type DurationText = `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}` | `P${string}`;

/** A feature type, in Iceberg's words. */
export type FeatureTypeText =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'timestamp_ns'
  | 'timestamptz_ns'
  | 'string'
  | 'uuid'
  | 'binary'
  | `decimal(${number},${number})`
  | `decimal(${number}, ${number})`
  | `fixed[${number}]`
  | `list<${string}>`
  | `map<${string}>`
  | `struct<${string}>`;

/** A feature: its name, or its name and type. */
export type FeatureInput = string | { readonly name: string; readonly type?: FeatureTypeText };

interface CommonInput<Name extends string> {
  readonly name: Name;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly renamedFrom?: string;
}

/** Fields of an entity. */
export interface EntityInput<Name extends string, Key extends string> extends CommonInput<Name> {
  readonly joinKeys: readonly [Key, ...Key[]];
}

/** An entity, as views refer to it. */
export interface EntityDefinition<Name extends string = string, Key extends string = string> {
  readonly kind: 'entity';
  readonly name: Name;
  readonly joinKeys: readonly Key[];
  /** The definition with the keys it would have in YAML. */
  readonly definition: unknown;
}

/** Fields of a feature view. */
export interface FeatureViewInput<Name extends string, Features extends readonly FeatureInput[]>
  extends CommonInput<Name> {
  readonly entities: readonly EntityDefinition[];
  readonly source: {
    readonly table: string;
    readonly timestampField: string;
    readonly createdTimestampField?: string;
    readonly fieldMapping?: Readonly<Record<string, string>>;
  };
  readonly ttl?: DurationText;
  readonly online?: boolean;
  readonly features?: Features;
  readonly onlineBuckets?: number;
  readonly onlinePartitionStrategy?: PartitionStrategy;
  readonly engine?: EngineType;
  readonly schedule?: {
    readonly every: DurationText;
    readonly offset?: DurationText;
    readonly runs?: ScheduledRuns;
    readonly overlap?: ScheduleOverlap;
    readonly catchUp?: DurationText;
    readonly jitter?: DurationText;
    readonly paused?: boolean;
  };
  readonly pushSource?: string;
}

/** The names in a list of features; any string if the list was left out. */
export type FeatureNames<Features extends readonly FeatureInput[]> = Features[number] extends infer Item
  ? Item extends string
    ? Item
    : Item extends { readonly name: infer Name extends string }
      ? Name
      : never
  : never;

/** Declared types by the name of the feature; undefined: not declared, the type is that of the source's column. */
export type DeclaredTypes = Readonly<Record<string, FeatureTypeText | undefined>>;

/** The declared types in a list of features; of any name, and undefined, if the list was left out. */
export type TypesOfFeatures<Features extends readonly FeatureInput[]> = {
  readonly [Item in Features[number] as Item extends string
    ? Item
    : Item extends { readonly name: infer Name extends string }
      ? Name
      : never]: Item extends { readonly type: infer Type extends FeatureTypeText } ? Type : undefined;
};

/** Where a definition keeps what only the compiler knows of it. No value is there at run time. */
declare const KNOWN: unique symbol;

/** A feature view, as services and requests refer to it. */
export interface FeatureViewDefinition<
  Name extends string = string,
  FeatureName extends string = string,
  Types extends DeclaredTypes = DeclaredTypes,
> {
  readonly kind: 'featureView';
  readonly name: Name;
  readonly definition: unknown;
  readonly [KNOWN]?: Types;
  /** A reference to one feature of this view. */
  feature<Chosen extends FeatureName>(name: Chosen): FeatureOfView<Name, Chosen, Types[Chosen]>;
}

/** One feature of a view: `view:feature` as a value. */
export interface FeatureOfView<
  ViewName extends string = string,
  FeatureName extends string = string,
  Type extends FeatureTypeText | undefined = FeatureTypeText | undefined,
> {
  readonly kind: 'feature';
  readonly view: ViewName;
  readonly feature: FeatureName;
  readonly [KNOWN]?: Type;
}

/** Some or all features of a view, perhaps under another name or with other join keys. */
export interface ViewSelection<FeatureName extends string = string> {
  readonly view: FeatureViewDefinition<string, FeatureName>;
  readonly features?: readonly FeatureName[];
  readonly alias?: string;
  /** Join key of the view -> column of the entity frame. */
  readonly joinKeyMap?: Readonly<Record<string, string>>;
}

/** Item of a service: a whole view, one feature, or a selection. */
export type ServiceFeature = FeatureViewDefinition | FeatureOfView | ViewSelection;

/** Holds each selection to the features of its own view. */
type CheckedSelections<Items extends readonly ServiceFeature[]> = {
  readonly [Index in keyof Items]: Items[Index] extends {
    readonly view: FeatureViewDefinition<string, infer FeatureName>;
  }
    ? ViewSelection<FeatureName>
    : Items[Index];
};

/** A feature service. */
export interface FeatureServiceDefinition<
  Name extends string = string,
  Items extends readonly ServiceFeature[] = readonly ServiceFeature[],
> {
  readonly kind: 'featureService';
  readonly name: Name;
  readonly definition: unknown;
  readonly [KNOWN]?: Items;
}

/** Any definition made in TypeScript. */
export type AnyDefinition = EntityDefinition | FeatureViewDefinition | FeatureServiceDefinition;

/** Defines an entity: a thing that features describe, identified by its join keys. */
export function defineEntity<const Name extends string, const Key extends string>(
  input: EntityInput<Name, Key>,
): EntityDefinition<Name, Key> {
  return { kind: 'entity', name: input.name, joinKeys: input.joinKeys, definition: input };
}

/** Defines a feature view over a source table. Without `features` every other column of the table becomes one. */
export function defineFeatureView<const Name extends string, const Features extends readonly FeatureInput[]>(
  input: FeatureViewInput<Name, Features>,
): FeatureViewDefinition<Name, FeatureNames<Features>, TypesOfFeatures<Features>> {
  return {
    kind: 'featureView',
    name: input.name,
    definition: { ...input, entities: input.entities.map((entity) => entity.name) },
    feature: (name) => ({ kind: 'feature', view: input.name, feature: name }),
  };
}

/** Defines a feature service: the features that one model uses. */
export function defineFeatureService<const Name extends string, const Items extends readonly ServiceFeature[]>(
  input: CommonInput<Name> & { readonly features: Items & CheckedSelections<Items> },
): FeatureServiceDefinition<Name, Items> {
  const features: readonly ServiceFeature[] = input.features;
  return { kind: 'featureService', name: input.name, definition: { ...input, features: features.map(plainReference) } };
}

function plainReference(item: ServiceFeature): unknown {
  if (!('kind' in item)) return { ...item, view: item.view.name };
  return item.kind === 'feature' ? { view: item.view, features: [item.feature] } : { view: item.name };
}

/** The value that YAML with the same definitions would have: what `parseDefinitions` reads. Other values are passed over. */
export function collectDefinitions(values: Iterable<unknown>): {
  readonly entities: readonly unknown[];
  readonly featureViews: readonly unknown[];
  readonly featureServices: readonly unknown[];
} {
  const found = [...new Set(values)].filter(isDefinition);
  const ofKind = (kind: AnyDefinition['kind']): readonly unknown[] =>
    found.filter((item) => item.kind === kind).map((item) => item.definition);
  return { entities: ofKind('entity'), featureViews: ofKind('featureView'), featureServices: ofKind('featureService') };
}

function isDefinition(value: unknown): value is AnyDefinition {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('definition' in value)) return false;
  return value.kind === 'entity' || value.kind === 'featureView' || value.kind === 'featureService';
}
