import { type ErrorCode, MoraineError } from '../errors/index.js';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from './json.js';

/** Reads the members of a JSON object that nobody has checked yet; each failure names the place and what was expected. */
export class JsonFields {
  readonly #object: JsonObject;
  readonly #where: string;
  readonly #code: ErrorCode;

  /**
   * @param where what the object is, for messages, such as `snapshot 3`
   * @param code the code of the errors that are thrown
   */
  constructor(value: JsonValue | undefined, where: string, code: ErrorCode) {
    this.#where = where;
    this.#code = code;
    if (!isJsonObject(value)) throw new MoraineError(code, `${where}: expected a JSON object, got ${describe(value)}.`);
    this.#object = value;
  }

  /** The member's value; `undefined` when it is missing or null. */
  optional(key: string): JsonValue | undefined {
    if (!Object.hasOwn(this.#object, key)) return undefined;
    return this.#object[key] ?? undefined;
  }

  required(key: string): JsonValue {
    return this.optional(key) ?? this.fail(`required field '${key}' is missing`);
  }

  optionalString(key: string): string | undefined {
    const value = this.optional(key);
    return value === undefined || typeof value === 'string' ? value : this.#mistyped(key, 'a string', value);
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.fail(`required field '${key}' is missing`);
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.optional(key);
    return value === undefined || typeof value === 'boolean' ? value : this.#mistyped(key, 'true or false', value);
  }

  boolean(key: string): boolean {
    return this.optionalBoolean(key) ?? this.fail(`required field '${key}' is missing`);
  }

  /** A 32-bit integer. */
  optionalInt(key: string): number | undefined {
    const value = this.optional(key);
    if (value === undefined) return undefined;
    return typeof value === 'number' && (value | 0) === value ? value : this.#mistyped(key, 'a 32-bit integer', value);
  }

  int(key: string): number {
    return this.optionalInt(key) ?? this.fail(`required field '${key}' is missing`);
  }

  /** A 64-bit integer, exact. */
  optionalLong(key: string): bigint | undefined {
    const value = this.optional(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
    return this.#mistyped(key, 'a 64-bit integer', value);
  }

  long(key: string): bigint {
    return this.optionalLong(key) ?? this.fail(`required field '${key}' is missing`);
  }

  optionalArray(key: string): readonly JsonValue[] | undefined {
    const value = this.optional(key);
    return value === undefined || isJsonArray(value) ? value : this.#mistyped(key, 'an array', value);
  }

  array(key: string): readonly JsonValue[] {
    return this.optionalArray(key) ?? this.fail(`required field '${key}' is missing`);
  }

  ints(key: string): readonly number[] {
    return (this.optionalArray(key) ?? []).map((value) =>
      typeof value === 'number' && (value | 0) === value ? value : this.#mistyped(key, 'an array of integers', value),
    );
  }

  longs(key: string): readonly bigint[] {
    return this.array(key).map((value) =>
      typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))
        ? BigInt(value)
        : this.#mistyped(key, 'an array of integers', value),
    );
  }

  strings(key: string): readonly string[] {
    return this.array(key).map((value) =>
      typeof value === 'string' ? value : this.#mistyped(key, 'an array of strings', value),
    );
  }

  /** An object of strings; numbers and booleans, which some writers leave unquoted, become text; nulls are left out. */
  stringMap(key: string): Map<string, string> {
    const value = this.optional(key);
    const map = new Map<string, string>();
    if (value === undefined) return map;
    if (!isJsonObject(value)) return this.#mistyped(key, 'an object of strings', value);
    for (const name of Object.keys(value)) {
      const item = value[name] as JsonValue;
      if (item === null) continue;
      if (typeof item === 'object') return this.#mistyped(`${key}.${name}`, 'a string', item);
      map.set(name, String(item));
    }
    return map;
  }

  /** Members that are not among the given keys, in their order. */
  others(known: ReadonlySet<string>): Map<string, JsonValue> {
    const others = new Map<string, JsonValue>();
    for (const key of Object.keys(this.#object)) if (!known.has(key)) others.set(key, this.#object[key] as JsonValue);
    return others;
  }

  /** The same, to be spread into what was read; without any there is no map. */
  unknownMembers(known: ReadonlySet<string>): { readonly otherFields?: ReadonlyMap<string, JsonValue> } {
    for (const key of Object.keys(this.#object)) if (!known.has(key)) return { otherFields: this.others(known) };
    return {};
  }

  /** Throws an error that names this object. */
  fail(problem: string): never {
    throw new MoraineError(this.#code, `${this.#where}: ${problem}.`);
  }

  #mistyped(key: string, expected: string, value: JsonValue): never {
    return this.fail(`field '${key}' should be ${expected}, got ${describe(value)}`);
  }
}

/** Members that were not known when something was read, to be written back. */
export function membersOf({
  otherFields,
}: {
  readonly otherFields?: ReadonlyMap<string, unknown>;
}): readonly (readonly [string, JsonValue])[] {
  return otherFields === undefined ? [] : [...(otherFields as ReadonlyMap<string, JsonValue>)];
}

function describe(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (isJsonArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
