/**
 * The messages of a Feast registry that an import and an export need, decoding and encoding them.
 *
 * Field numbers are those of Feast 0.67, `protos/feast/core`: Registry.proto, Project.proto, Entity.proto, DataSource.proto,
 * Feature.proto, FeatureView.proto, StreamFeatureView.proto, OnDemandFeatureView.proto, LabelView.proto, FeatureService.proto,
 * FeatureViewProjection.proto, SavedDataset.proto, ValidationProfile.proto, Permission.proto. Fields that are not needed are
 * left out. A map is written as the repeated entries that it is on the wire, so that no key is special.
 */
import protobuf from 'protobufjs';

const DESCRIPTION = `
syntax = "proto3";
package feast.core;
message Pair { string key = 1; string value = 2; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Meta { Timestamp created_timestamp = 1; Timestamp last_updated_timestamp = 2; }
message Project { ProjectSpec spec = 1; Meta meta = 2; }
message ProjectSpec { string name = 1; string description = 2; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message Registry {
  repeated Entity entities = 1;
  string registry_schema_version = 3;
  Timestamp last_updated = 5;
  repeated FeatureView feature_views = 6;
  repeated FeatureService feature_services = 7;
  repeated NamedOnly on_demand_feature_views = 8;
  repeated NamedOnly saved_datasets = 11;
  repeated DataSource data_sources = 12;
  repeated ValidationReference validation_references = 13;
  repeated StreamFeatureView stream_feature_views = 14;
  repeated NamedOnly permissions = 16;
  repeated Project projects = 17;
  repeated NamedOnly label_views = 19;
}
message NamedOnly { NamedSpec spec = 1; }
message NamedSpec { string name = 1; string project = 2; }
message ValidationReference { string name = 1; string project = 3; }
message Entity { EntitySpec spec = 1; Meta meta = 2; }
message EntitySpec {
  string name = 1;
  int32 value_type = 2;
  string description = 3;
  string join_key = 4;
  repeated Pair tags = 8;
  string project = 9;
  string owner = 10;
}
message Feature { string name = 1; int32 value_type = 2; repeated Pair tags = 3; string description = 4; }
message CustomOptions { bytes configuration = 1; }
message FileOptions { string uri = 2; string s3_endpoint_override = 3; }
message DataSource {
  int32 type = 1;
  repeated Pair field_mapping = 2;
  string timestamp_field = 3;
  string date_partition_column = 4;
  string created_timestamp_column = 5;
  FileOptions file_options = 11;
  CustomOptions custom_options = 16;
  string data_source_class_type = 17;
  string name = 20;
  string project = 21;
  string description = 23;
  repeated Pair tags = 24;
  string owner = 25;
  DataSource batch_source = 26;
}
message FeatureView { FeatureViewSpec spec = 1; Meta meta = 2; }
message Present { }
message FeatureViewSpec {
  string name = 1;
  string project = 2;
  repeated string entities = 3;
  repeated Feature features = 4;
  repeated Pair tags = 5;
  Duration ttl = 6;
  DataSource batch_source = 7;
  bool online = 8;
  DataSource stream_source = 9;
  string description = 10;
  string owner = 11;
  repeated Feature entity_columns = 12;
  repeated Present source_views = 14;
  Present feature_transformation = 15;
  bool enable_validation = 17;
  string version = 18;
  bool disabled = 20;
}
message StreamFeatureView { StreamFeatureViewSpec spec = 1; }
message StreamFeatureViewSpec { string name = 1; string project = 2; DataSource batch_source = 10; }
message FeatureService { FeatureServiceSpec spec = 1; Meta meta = 2; }
message FeatureServiceSpec {
  string name = 1;
  string project = 2;
  repeated Projection features = 3;
  repeated Pair tags = 4;
  string description = 5;
  string owner = 6;
  Present logging_config = 7;
}
message Projection {
  string feature_view_name = 1;
  repeated Feature feature_columns = 2;
  string feature_view_name_alias = 3;
  repeated Pair join_key_map = 4;
  optional int32 version_tag = 10;
}
`;

/** An entry of a map field. */
export interface FeastPair {
  readonly key: string;
  readonly value: string;
}

/** A feature or join key column (FeatureSpecV2). */
export interface FeastFeature {
  readonly name: string;
  /** A number of Feast's ValueType.Enum. */
  readonly value_type: number;
  readonly tags: readonly FeastPair[];
  readonly description: string;
}

/** The source of a view or a request (DataSource). */
export interface FeastDataSource {
  readonly name: string;
  readonly project: string;
  /** A number of DataSource.SourceType. */
  readonly type: number;
  readonly data_source_class_type: string;
  readonly timestamp_field: string;
  readonly created_timestamp_column: string;
  readonly date_partition_column: string;
  readonly field_mapping: readonly FeastPair[];
  readonly file_options: { readonly uri: string; readonly s3_endpoint_override: string } | null;
  readonly custom_options: { readonly configuration: Uint8Array } | null;
  readonly description: string;
  readonly tags: readonly FeastPair[];
  readonly owner: string;
}

/** An entity (EntitySpecV2). */
export interface FeastEntity {
  readonly name: string;
  readonly project: string;
  readonly join_key: string;
  readonly description: string;
  readonly tags: readonly FeastPair[];
  readonly owner: string;
}

/** A batch feature view (FeatureViewSpec). */
export interface FeastFeatureView {
  readonly name: string;
  readonly project: string;
  readonly entities: readonly string[];
  readonly features: readonly FeastFeature[];
  readonly entity_columns: readonly FeastFeature[];
  readonly tags: readonly FeastPair[];
  /** Seconds are text: they are 64-bit. */
  readonly ttl: { readonly seconds: string; readonly nanos: number } | null;
  readonly batch_source: FeastDataSource | null;
  readonly stream_source: FeastDataSource | null;
  readonly online: boolean;
  readonly description: string;
  readonly owner: string;
  readonly source_views: readonly object[];
  readonly feature_transformation: object | null;
  readonly enable_validation: boolean;
  readonly version: string;
  readonly disabled: boolean;
}

/** Features of one view in a service (FeatureViewProjection). */
export interface FeastProjection {
  readonly feature_view_name: string;
  readonly feature_view_name_alias: string;
  readonly feature_columns: readonly FeastFeature[];
  readonly join_key_map: readonly FeastPair[];
  /** Absent unless the service pins a version of the view. */
  readonly version_tag?: number;
}

/** A feature service (FeatureServiceSpec). */
export interface FeastFeatureService {
  readonly name: string;
  readonly project: string;
  readonly features: readonly FeastProjection[];
  readonly tags: readonly FeastPair[];
  readonly description: string;
  readonly owner: string;
  readonly logging_config: object | null;
}

/** A definition of a kind of which only the name is needed. */
export interface FeastNamed {
  readonly name: string;
  readonly project: string;
}

/** A stream feature view, as far as it is needed. */
export interface FeastStreamFeatureView extends FeastNamed {
  readonly batch_source: FeastDataSource | null;
}

/** The messages by the names that decoding knows them under. */
interface Messages {
  readonly Entity: { readonly spec: FeastEntity | null };
  readonly DataSource: FeastDataSource;
  readonly FeatureView: { readonly spec: FeastFeatureView | null };
  readonly StreamFeatureView: { readonly spec: FeastStreamFeatureView | null };
  readonly FeatureService: { readonly spec: FeastFeatureService | null };
  readonly NamedOnly: { readonly spec: FeastNamed | null };
  readonly ValidationReference: FeastNamed;
  readonly Registry: {
    readonly registry_schema_version: string;
    readonly entities: readonly Messages['Entity'][];
    readonly data_sources: readonly FeastDataSource[];
    readonly feature_views: readonly Messages['FeatureView'][];
    readonly stream_feature_views: readonly Messages['StreamFeatureView'][];
    readonly on_demand_feature_views: readonly Messages['NamedOnly'][];
    readonly label_views: readonly Messages['NamedOnly'][];
    readonly feature_services: readonly Messages['FeatureService'][];
    readonly saved_datasets: readonly Messages['NamedOnly'][];
    readonly validation_references: readonly FeastNamed[];
    readonly permissions: readonly Messages['NamedOnly'][];
  };
}

let root: protobuf.Root | undefined;

function messageType(name: string): protobuf.Type {
  root ??= protobuf.parse(DESCRIPTION, { keepCase: true }).root;
  return root.lookupType(`feast.core.${name}`);
}

/**
 * Decodes one message; unset fields have the defaults of proto3, unset messages are null.
 * Throws an error of the decoder if the bytes are not a message of that type.
 */
export function decodeFeast<Name extends keyof Messages>(name: Name, bytes: Uint8Array): Messages[Name] {
  const type = messageType(name);
  // A Buffer would give Buffers where a Uint8Array is promised.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const plain: unknown = type.toObject(type.decode(view), { defaults: true, longs: String });
  return plain as Messages[Name];
}

/** A field of a message: numbers, texts, bytes, messages, and lists of them. */
export type FeastFields = { readonly [field: string]: FeastFieldValue | undefined };
type FeastFieldValue = string | number | boolean | Uint8Array | FeastFields | readonly FeastFieldValue[];

/** Encodes a registry. @throws TypeError for a field that no message has, or a value of another type */
export function encodeFeastRegistry(registry: FeastFields): Uint8Array {
  const type = messageType('Registry');
  const problem = type.verify(registry);
  if (problem !== null) throw new TypeError(`A Feast registry cannot be encoded: ${problem}`);
  return type.encode(type.fromObject(registry)).finish();
}
