/** The methods of a client as programs get them: arguments checked, calls counted and cancelled, refused once it is closed. */
import { CallGuard } from './call-guard.js';
import {
  checkArguments,
  METHOD_ARGUMENTS,
  type MethodName,
  OPENING_METHODS,
  SIGNAL_ARGUMENTS,
} from './request-shapes.js';

/** What has a signal among others. */
interface Cancellable {
  readonly signal?: AbortSignal;
}

type AnyMethod = (...given: readonly unknown[]) => Promise<unknown>;

/**
 * @param methods that work only while the client is open
 * @param last closes what the methods use, once none of them is in flight
 */
export function guardCalls<Methods extends Readonly<Record<MethodName, unknown>>>(
  methods: Methods,
  last: () => Promise<void>,
): Methods & { close(): Promise<void> } {
  const guard = new CallGuard();
  const names: readonly MethodName[] = Object.keys(METHOD_ARGUMENTS) as MethodName[];
  const calls = names.map((name) => [name, guardedCall(guard, name, methods[name] as AnyMethod)]);
  return { ...(Object.fromEntries(calls) as Methods), close: () => guard.close(last) };
}

function guardedCall(guard: CallGuard, name: MethodName, method: AnyMethod): AnyMethod {
  const checked = async (...given: readonly unknown[]): Promise<unknown> => {
    checkArguments(name, given);
    return method(...given);
  };
  const signalAt = SIGNAL_ARGUMENTS.get(name);
  const signalOf = (given: readonly unknown[]): AbortSignal | undefined =>
    signalAt === undefined ? undefined : (given[signalAt] as Cancellable | undefined)?.signal;
  const withSignal = (given: readonly unknown[], signal: AbortSignal): readonly unknown[] => {
    if (signalAt === undefined) return given;
    const replaced = [...given];
    replaced[signalAt] = { ...(given[signalAt] as object | undefined), signal };
    return replaced;
  };
  if (OPENING_METHODS.has(name)) {
    return async (...given) => {
      checkArguments(name, given);
      const open = (signal: AbortSignal) => method(...withSignal(given, signal)) as Promise<{ close(): Promise<void> }>;
      return guard.open(open, signalOf(given));
    };
  }
  if (signalAt === undefined) return (...given) => guard.run(() => checked(...given));
  return (...given) =>
    guard.run(async () => {
      checkArguments(name, given);
      return guard.cancellable(signalOf(given), (signal) => method(...withSignal(given, signal)));
    });
}
