/** How the brokers of a Kafka cluster are reached. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { MoraineError } from '../../errors/index.js';

/** SASL mechanisms with a user and a password. */
export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

export interface KafkaAccess {
  /** Addresses `HOST:PORT` of some brokers; the port is 9092 unless given. */
  readonly brokers: readonly string[];
  /** True: TLS with the authorities that Node knows (`NODE_EXTRA_CA_CERTS` adds to them). */
  readonly tls?: boolean | KafkaTls | undefined;
  readonly sasl?: KafkaSasl | undefined;
}

/** TLS with files in PEM. */
export interface KafkaTls {
  /** Path of the authorities that are trusted instead of those that Node knows. */
  readonly ca?: string | undefined;
  /** Paths of the client's certificate and its private key, where brokers ask for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface KafkaSasl {
  readonly mechanism: (typeof SASL_MECHANISMS)[number];
  readonly username: string;
  readonly password: string;
}

/** Where a broker listens. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 9092;
const MAX_PORT = 65_535;

/** @throws MoraineError `INVALID_ARGUMENT` */
export function brokerAddress(text: string): BrokerAddress {
  const [, ipv6, name, digits] = /^(?:\[([\da-fA-F:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const [host, port] = [ipv6 ?? name, digits === undefined ? DEFAULT_PORT : Number(digits)];
  if (host !== undefined && port >= 1 && port <= MAX_PORT) return { host, port };
  throw new MoraineError('INVALID_ARGUMENT', `The broker ${JSON.stringify(text)} is not HOST:PORT.`);
}

/** @returns undefined: no TLS. @throws MoraineError `INVALID_ARGUMENT` for a file that cannot be read */
export async function tlsOptions(tls: KafkaAccess['tls']): Promise<TlsOptions | undefined> {
  if (tls === undefined || tls === false) return undefined;
  if (tls === true) return {};
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw new MoraineError('INVALID_ARGUMENT', 'A certificate for Kafka goes with its private key: give both.');
  const options: { ca?: string; cert?: string; key?: string } = {};
  for (const part of ['ca', 'cert', 'key'] as const) {
    const path = tls[part];
    if (path !== undefined) options[part] = await readPem(path);
  }
  return options;
}

async function readPem(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MoraineError('INVALID_ARGUMENT', `The file ${path} for TLS with Kafka cannot be read: ${reason}.`, {
      cause,
    });
  });
}
