/** Certificates of an authority of one's own, made by openssl. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from './s3-server.js';

/** Makes a certificate for 127.0.0.1, and its authority, in a folder. */
export function makeCertificate(folder: string): Certificate {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    '/CN=authority of the tests',
  );
  openssl('req', ...key, '-keyout', file('own.key'), '-out', file('own.csr'), '-subj', '/CN=127.0.0.1');
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1');
  const by = [
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('names'),
  ];
  openssl('x509', '-req', '-in', file('own.csr'), '-out', file('own.pem'), ...by);
  return { certificate: file('own.pem'), key: file('own.key'), authority: file('ca.pem') };
}
