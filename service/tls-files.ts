/** The certificate of the service and its private key: files in PEM. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsConfig } from '../config/index.js';
import { MoraineError } from '../errors/index.js';

/**
 * Reads both files and checks that they belong together.
 * @throws CONFIG_INVALID that names the file
 */
export async function readTlsFiles({ cert, key, minVersion }: TlsConfig): Promise<SecureContextOptions> {
  const [certText, keyText] = [await readPem('cert', cert), await readPem('key', key)];
  const certificate = parsed('cert', cert, 'a certificate in PEM', () => new X509Certificate(certText));
  const isPrivate = (): KeyObject => createPrivateKey(keyText);
  const privateKey = parsed('key', key, 'a private key in PEM without a passphrase', isPrivate);
  if (!certificate.checkPrivateKey(privateKey))
    throw invalid(`the private key (server.tls.key) ${key} is not that of the certificate (server.tls.cert) ${cert}`);
  const options = { cert: certText, key: keyText, minVersion };
  parsed('cert', cert, 'a chain of certificates that can be used', () => createSecureContext(options));
  return options;
}

const NAMES = { cert: 'certificate', key: 'private key' } as const;

async function readPem(part: keyof typeof NAMES, path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(`the ${NAMES[part]} (server.tls.${part}) cannot be read: ${reason}`, error);
  });
}

function parsed<T>(part: keyof typeof NAMES, path: string, wanted: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    // What OpenSSL says of a key may quote it.
    const cause = part === 'key' ? undefined : error;
    throw invalid(`the ${NAMES[part]} (server.tls.${part}) ${path} is not ${wanted}`, cause);
  }
}

function invalid(reason: string, cause?: unknown): MoraineError {
  return new MoraineError('CONFIG_INVALID', `The service cannot use TLS: ${reason}.`, {
    cause,
    remedy: 'Name a certificate, with those of its authorities after it, and its private key.',
  });
}
