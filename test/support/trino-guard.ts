/** Trino that wants to know who asks: passwords, JSON web tokens and rights, over TLS. Source: Trino documentation, "Security". */
import { execFileSync } from 'node:child_process';
import { createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from './certificate.js';
import { keptInCache } from './kept-in-cache.js';
import { cachedJar } from './maven.js';

/** Of Trino 449: Maven Central lists none for 476. It compares passwords with a file; who has to show one is up to the server. */
const PASSWORDS = {
  coordinates: 'io.trino:trino-password-authenticators:449@zip',
  sha256: '20a1d4f00bd2f7d99492a186d255229fa11789f4b7a790a92f3e1a90dd0aa322',
};

/** What a server with users asks for. It can be cloned. */
export interface TrinoGuard {
  /** Has the files; whoever made the guard removes it. */
  readonly folder: string;
  /** File of the authority of its certificate. */
  readonly authority: string;
  /** File with its certificate and the key. */
  readonly certificate: string;
  /**
   * Passwords by user. `reader` may write nothing, `blind` sees nothing of Trino's own catalog, `bound` may call no procedure, and `barred`
   * reads nothing of the namespace `barred`.
   */
  readonly passwords: Readonly<Record<string, string>>;
  /** Signs tokens; in base64. */
  readonly tokenKey: string;
}

/** Makes a certificate, users and a key for tokens. */
export function makeGuard(): TrinoGuard {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-trino-guard-'));
  const { authority, certificate, key } = makeCertificate(folder);
  const both = join(folder, 'both.pem');
  writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
  const users = ['moraine', 'reader', 'blind', 'bound', 'barred'];
  const passwords = Object.fromEntries(users.map((user) => [user, `canary-of-${user}`]));
  return { folder, authority, certificate: both, passwords, tokenKey: randomBytes(32).toString('base64') };
}

/** A token of a user. Source: RFC 7515 and 7519. */
export function tokenOf({ tokenKey }: TrinoGuard, user: string, validSeconds = 3600): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + validSeconds };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', Buffer.from(tokenKey, 'base64')).update(signed).digest('base64url')}`;
}

/** Nobody may act as somebody else. */
const RIGHTS = {
  catalogs: [
    { user: 'reader', catalog: '.*', allow: 'read-only' },
    { user: 'blind', catalog: 'system', allow: 'none' },
    { catalog: '.*', allow: 'all' },
  ],
  impersonation: [{ original_user: 'nobody', new_user: '.*' }],
  // Without a rule for procedures nobody may end a query of another user.
  procedures: [
    { user: 'bound', catalog: '.*', schema: '.*', procedure: '.*', privileges: [] },
    { catalog: '.*', schema: '.*', procedure: '.*', privileges: ['EXECUTE'] },
  ],
  tables: [
    { user: 'barred', catalog: '.*', schema: 'barred', table: '.*', privileges: [] },
    {
      catalog: '.*',
      schema: '.*',
      table: '.*',
      privileges: ['SELECT', 'INSERT', 'DELETE', 'UPDATE', 'OWNERSHIP', 'GRANT_SELECT'],
    },
  ],
};

/**
 * Writes the settings of a guard into the folder of a server.
 * @returns those of `config.properties`; what comes without TLS is answered as before, by the name alone
 */
export function guardSettings({ certificate, passwords, tokenKey }: TrinoGuard, folder: string, port: number) {
  const file = (name: string, text: string): string => {
    const path = join(folder, 'etc', name);
    writeFileSync(path, text);
    return path;
  };
  const users = file('passwords', Object.entries(passwords).map(passwordLine).join(''));
  file('password-authenticator.properties', `password-authenticator.name=file\nfile.password-file=${users}\n`);
  const rules = file('rules.json', JSON.stringify(RIGHTS));
  file('access-control.properties', `access-control.name=file\nsecurity.config-file=${rules}\n`);
  return {
    'http-server.https.enabled': true,
    'http-server.https.port': port,
    'http-server.https.keystore.path': certificate,
    'http-server.authentication.type': 'PASSWORD,JWT',
    'http-server.authentication.allow-insecure-over-http': true,
    'http-server.authentication.jwt.key-file': file('token.key', tokenKey),
    'internal-communication.shared-secret': randomBytes(32).toString('base64'),
  };
}

/** A line of a file of passwords, by PBKDF2 with the parameters that Trino checks by. */
function passwordLine([user, password]: readonly [string, string]): string {
  const [iterations, salt] = [1000, randomBytes(16)];
  const hash = pbkdf2Sync(password, salt, iterations, 20, 'sha1');
  return `${user}:${iterations}:${salt.toString('hex')}:${hash.toString('hex')}\n`;
}

/** The folder of the plugin, unpacked; the first call on a machine downloads it. */
export async function passwordPlugin(): Promise<string> {
  const zip = await cachedJar(PASSWORDS);
  const folder = keptInCache('trino-passwords-449', (staging) => {
    execFileSync('python3', ['-m', 'zipfile', '-e', zip, staging]);
  });
  return join(folder, 'trino-password-authenticators-449');
}
