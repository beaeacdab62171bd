import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Identifies the system that a process runs on: this start of the machine, and the machine through all of its starts. */
export interface HostIds {
  /** Id of the running kernel. Processes of two containers on one machine have the same. */
  readonly boot: string;
  /** Id of the machine; `none` if it has none. */
  readonly machine: string;
}

let known: HostIds | undefined;

export function thisHost(): HostIds {
  known ??= { boot: shortHash(textOf('/proc/sys/kernel/random/boot_id') ?? hostname()), machine: machineId() };
  return known;
}

function machineId(): string {
  const id = textOf('/etc/machine-id');
  if (id !== undefined) return shortHash(`${id} ${hostname()}`);
  // Images of containers have no id, and hosts may give them one name; other systems than Linux have no containers of their own kind.
  return process.platform === 'linux' ? 'none' : shortHash(hostname());
}

function textOf(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);
