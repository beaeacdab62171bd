/**
 * Types of requests and answers from definitions made in TypeScript: names of views, services and features, and the
 * values of features. Types only. A view without a list of features has features of any name, and a feature without a declared type any value.
 */
import type {
  AnyDefinition,
  DeclaredTypes,
  FeatureOfView,
  FeatureReference,
  FeatureServiceDefinition,
  FeatureTypeText,
  FeatureViewDefinition,
  ViewSelection,
} from '../features/index.js';
import type { FeatureValue, OnlineRequest, OnlineValue } from '../online/index.js';
import type { AnyOnlineRow } from './online-features.js';

/** The definitions that a client knows. */
export type KnownDefinitions = readonly AnyDefinition[];

type View<Known extends KnownDefinitions> = Extract<Known[number], { readonly kind: 'featureView' }>;
type Service<Known extends KnownDefinitions> = Extract<Known[number], { readonly kind: 'featureService' }>;

/** Names of the known views. */
export type ViewName<Known extends KnownDefinitions> = View<Known>['name'];

/** Names of the known services. */
export type ServiceName<Known extends KnownDefinitions> = Service<Known>['name'];

/** A known view: its name, or its definition. */
export type RequestedView<Known extends KnownDefinitions> = ViewName<Known> | View<Known>;

/** A known service: its name, or its definition. */
export type RequestedService<Known extends KnownDefinitions> = ServiceName<Known> | Service<Known>;

/** A feature or view as a request may name it. */
export type RequestedFeatureOf<Known extends KnownDefinitions> = FeatureOf<View<Known>>;

type FeatureOf<Definition> =
  Definition extends FeatureViewDefinition<infer Name, infer Feature>
    ?
        | Name
        | `${Name}:${Feature}`
        | Definition
        | FeatureOfView<Name, Feature>
        | (FeatureReference & { readonly view: Name; readonly features?: readonly Feature[] })
    : never;

/** A request of an online read. Exactly one of `features`, `service` and `view` is given. */
export interface TypedOnlineRequest<Features, ServiceAsked, ViewAsked, FullNames>
  extends Omit<OnlineRequest, 'features' | 'service' | 'view' | 'fullFeatureNames'> {
  /** `view:feature`, `view` for all of it, definitions, or references. */
  readonly features?: Features | undefined;
  /** Name of a feature service, or its definition. */
  readonly service?: ServiceAsked | undefined;
  /** All features of one view: its name, or its definition. */
  readonly view?: ViewAsked | undefined;
  /** Call features `view__feature`. */
  readonly fullFeatureNames?: FullNames | undefined;
}

/** The row that answers a request. */
export type OnlineRowOf<Known extends KnownDefinitions, Features, ServiceAsked, ViewAsked, FullNames> = [
  ViewAsked,
] extends [never]
  ? [ServiceAsked] extends [never]
    ? RowOfFeatures<Known, Features, FullNames>
    : RowOfService<Known, ServiceAsked, FullNames>
  : RowOfView<Known, ViewAsked, FullNames>;

/** A row of one view, or one of several if the compiler does not know which. */
type RowOfView<Known extends KnownDefinitions, Asked, FullNames> = Asked extends unknown
  ? Row<ColumnsOf<Known, Asked, FullNames>>
  : never;

type RowOfService<Known extends KnownDefinitions, Asked, FullNames> = Asked extends unknown
  ? NamedService<Known, Asked> extends FeatureServiceDefinition<string, infer Items>
    ? RowOfFeatures<Known, Items, FullNames>
    : AnyOnlineRow
  : never;

/** Of a list whose length is not known, any feature may be absent. */
type RowOfFeatures<Known extends KnownDefinitions, Features, FullNames> = Features extends readonly unknown[]
  ? number extends Features['length']
    ? Partial<Row<ColumnsOf<Known, Features[number], FullNames>>>
    : Row<ColumnsOf<Known, Features[number], FullNames>>
  : AnyOnlineRow;

/** A feature in an answer. */
interface Column<Name extends string, Type extends FeatureTypeText | undefined> {
  readonly name: Name;
  readonly type: Type;
}

type AnyColumn = Column<string, undefined>;

type Row<Columns extends Column<string, FeatureTypeText | undefined>> = {
  readonly [One in Columns as One['name']]: OnlineValue<ValueOfType<One['type']>>;
};

/** The columns of one thing that a request or a service names. */
type ColumnsOf<Known extends KnownDefinitions, Asked, FullNames> =
  Asked extends FeatureOfView<infer Name, infer Feature, infer Type>
    ? Column<ColumnName<Name, Feature, FullNames>, Type>
    : Asked extends FeatureViewDefinition<infer Name, infer Feature, infer Types>
      ? ColumnsOfView<Name, Feature, Types, FullNames>
      : Asked extends `${infer Name}:${infer Feature}`
        ? ColumnsOfNamed<Known, Name, Feature, Name, FullNames>
        : Asked extends string
          ? ColumnsOfNamed<Known, Asked, string, Asked, FullNames>
          : Asked extends ViewSelection
            ? ColumnsOfSelection<Asked, FullNames>
            : Asked extends { readonly view: infer Name extends string }
              ? ColumnsOfNamed<Known, Name, ChosenBy<Asked, string>, AliasOf<Asked, Name>, FullNames>
              : AnyColumn;

/** Columns of a view that is known by its name; of any name if it is not. */
type ColumnsOfNamed<Known extends KnownDefinitions, Name extends string, Chosen, Alias extends string, FullNames> = [
  NamedView<Known, Name>,
] extends [never]
  ? AnyColumn
  : NamedView<Known, Name> extends FeatureViewDefinition<string, infer Feature, infer Types>
    ? ColumnsOfView<Alias, string extends Chosen ? Feature : Extract<Chosen, Feature>, Types, FullNames>
    : AnyColumn;

type ColumnsOfSelection<Selection extends ViewSelection, FullNames> =
  Selection['view'] extends FeatureViewDefinition<infer Name, infer Feature, infer Types>
    ? ColumnsOfView<AliasOf<Selection, Name>, Extract<ChosenBy<Selection, Feature>, string>, Types, FullNames>
    : AnyColumn;

type ColumnsOfView<
  Alias extends string,
  Feature extends string,
  Types extends DeclaredTypes,
  FullNames,
> = Feature extends unknown ? Column<ColumnName<Alias, Feature, FullNames>, Types[Feature]> : never;

/** The name of a feature in the answer. */
type ColumnName<Alias extends string, Feature extends string, FullNames> = [FullNames] extends [true]
  ? `${Alias}__${Feature}`
  : [FullNames] extends [false]
    ? Feature
    : string;

type ChosenBy<Asked, All> = Asked extends { readonly features: readonly (infer Feature)[] } ? Feature : All;
type AliasOf<Asked, Name extends string> = Asked extends { readonly alias: infer Alias extends string } ? Alias : Name;

type NamedView<Known extends KnownDefinitions, Name> = Extract<View<Known>, { readonly name: Name }>;
type NamedService<Known extends KnownDefinitions, Asked> = Asked extends string
  ? Extract<Service<Known>, { readonly name: Asked }>
  : Asked;

/** The value of a feature whose type is declared, in Iceberg's words; any value if it is not. */
export type ValueOfType<Type extends string | undefined> = Type extends 'boolean'
  ? boolean
  : Type extends 'int' | 'float' | 'double' | 'date'
    ? number
    : Type extends 'long' | 'time' | `timestamp${string}` | `decimal(${string}`
      ? bigint
      : Type extends 'string' | 'uuid'
        ? string
        : Type extends 'binary' | `fixed[${string}`
          ? Uint8Array
          : Type extends `list<${infer Element}>`
            ? readonly (ValueOfType<Element> | null)[]
            : Type extends `map<${string}`
              ? readonly (readonly [FeatureValue, FeatureValue])[]
              : Type extends `struct<${string}`
                ? ReadonlyMap<string, FeatureValue>
                : FeatureValue;
