import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { feastPython } from './feast.js';

/**
 * Starts `feast serve` for the repository that `SideBySide.define` has made in a folder, and waits until it answers.
 * @param atEnd takes what ends the process; unless given it ends with the test
 * @returns its URL
 */
export async function startFeastServer(
  folder: string,
  atEnd: (stop: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const interpreter = feastPython();
  if (interpreter === null) throw new Error('no Python environment');
  const repository = {
    project: 'side',
    provider: 'local',
    registry: join(folder, 'registry.db'),
    online_store: { type: 'sqlite', path: join(folder, 'online.db') },
    entity_key_serialization_version: 3,
  };
  writeFileSync(join(folder, 'feature_store.yaml'), JSON.stringify(repository));
  const port = await freePort();
  const program = `import sys; sys.argv[0] = 'feast'; from feast.cli.cli import cli; cli()`;
  const args = ['-W', 'ignore', '-c', program, '--chdir', folder, 'serve', '--port', String(port), '--no-access-log'];
  const env = { ...process.env, FEAST_USAGE: 'False', PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(interpreter, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4000)));
  const exit = once(child, 'close');
  atEnd(async () => {
    child.kill();
    await exit;
  });
  const url = `http://127.0.0.1:${port}`;
  while (child.exitCode === null) {
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok === true) return url;
    await sleep(100);
  }
  throw new Error(`feast serve has ended:\n${printed}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
