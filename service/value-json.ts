/**
 * Feature values in the JSON that Feast's clients read. They infer a type from the text: a number with a point or an exponent is a
 * float, bare digits are a 64-bit integer; a decimal is a text, since they would round it. The text is written here, since JSON.stringify would round
 * 64-bit integers and drop points.
 */
import { formatDecimal, type IcebergType, type PrimitiveValue, temporalText } from '../iceberg/index.js';
import type { FeatureValue } from '../online/index.js';

/** Writes a value that is not null as JSON. */
export type ValueWriter = (value: FeatureValue) => string;

const SECONDS_PER_DAY = 86_400;
const MICROS_PER_SECOND = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

/** The writer of values of a type; `docs/http-api.md` has the table of types. */
export function valueWriter(type: IcebergType): ValueWriter {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
      return String;
    case 'float':
    case 'double':
      return (value) => floatJson(value as number);
    case 'decimal': {
      const { scale } = type;
      return (value) => `"${formatDecimal(value as bigint, scale)}"`;
    }
    case 'date':
      return (value) => String((value as number) * SECONDS_PER_DAY);
    case 'timestamp':
    case 'timestamptz':
      return (value) => wholeSeconds(value as bigint, MICROS_PER_SECOND);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return (value) => wholeSeconds(value as bigint, NANOS_PER_SECOND);
    case 'time':
      return (value) => JSON.stringify(temporalText(type, value as PrimitiveValue, 'Z'));
    case 'fixed':
    case 'binary':
      return (value) => `"${Buffer.from(value as Uint8Array).toString('base64')}"`;
    case 'list': {
      const element = orNull(valueWriter(type.element));
      return (value) => `[${(value as readonly FeatureValue[]).map(element).join(',')}]`;
    }
    case 'map':
      return mapWriter(type.key, valueWriter(type.value));
    case 'struct': {
      const fields = type.fields.map(({ name, type: of }) => [name, orNull(valueWriter(of))] as const);
      return (value) => {
        const struct = value as ReadonlyMap<string, FeatureValue>;
        return objectJson(fields.map(([name, write]) => [name, write(struct.get(name) ?? null)]));
      };
    }
    default:
      return (value) => JSON.stringify(value);
  }
}

/** The writer for values that may be null. */
function orNull(write: ValueWriter): ValueWriter {
  return (value) => (value === null ? 'null' : write(value));
}

/** A map as an object, whose keys are texts in JSON. */
function mapWriter(key: IcebergType, write: ValueWriter): ValueWriter {
  const [writeKey, writeValue] = [valueWriter(key), orNull(write)];
  const keyText = (value: FeatureValue): string => {
    const json = writeKey(value);
    return json.startsWith('"') ? (JSON.parse(json) as string) : json;
  };
  return (value) => {
    const entries = value as readonly (readonly [FeatureValue, FeatureValue])[];
    return objectJson(entries.map(([name, item]) => [keyText(name), writeValue(item)]));
  };
}

function objectJson(members: readonly (readonly [name: string, json: string])[]): string {
  return `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;
}

/** Rounded down, as Feast does. */
function wholeSeconds(units: bigint, unitsPerSecond: bigint): string {
  const seconds = units / unitsPerSecond;
  return String(units < seconds * unitsPerSecond ? seconds - 1n : seconds);
}

/** NaN and the infinities, for which JSON has no numbers, are texts. */
function floatJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0.0' : withPoint(String(value));
}

const withPoint = (text: string): string => (/[.eE]/.test(text) ? text : `${text}.0`);
