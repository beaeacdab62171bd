import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveTemporalSettings } from '../../../workers/index.js';
import { codeOf } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const CONFIG = `
[profile.default]
address = "from-file:1"
namespace = "file-namespace"

[profile.cloud]
address = "ns.acct.tmprl.cloud:7233"
namespace = "ns.acct"
api_key = "key-of-file"
[profile.cloud.grpc_meta]
team = "ml"
`;

function configFile(text = CONFIG): string {
  const path = join(temporaryFolder(), 'temporal.toml');
  writeFileSync(path, text);
  return path;
}

describe('Temporal settings', () => {
  test('nothing configured: no address, so that a local server is used', () => {
    const settings = resolveTemporalSettings(
      { taskQueue: 'q' },
      { TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml' },
    );
    expect(settings).toMatchObject({ address: undefined, namespace: 'default', taskQueue: 'q' });
    expect(settings.connection.tls).toBeUndefined();
  });

  test('a file gives address and namespace; moraine.yaml wins over it; the environment over both', () => {
    const file = { taskQueue: 'q', configFile: configFile() };
    expect(resolveTemporalSettings(file, {})).toMatchObject({ address: 'from-file:1', namespace: 'file-namespace' });
    const yaml = { ...file, address: 'yaml:2', namespace: 'yaml-namespace' };
    expect(resolveTemporalSettings(yaml, {})).toMatchObject({ address: 'yaml:2', namespace: 'yaml-namespace' });
    expect(resolveTemporalSettings(yaml, { TEMPORAL_ADDRESS: 'env:3' })).toMatchObject({
      address: 'env:3',
      namespace: 'yaml-namespace',
      connection: { address: 'env:3' },
    });
  });

  test('a variable that is empty says nothing', () => {
    const yaml = { taskQueue: 'q', configFile: configFile(), address: 'yaml:2', apiKey: 'key-of-yaml' };
    const empty = { TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '', TEMPORAL_API_KEY: '', TEMPORAL_PROFILE: '' };
    expect(resolveTemporalSettings(yaml, empty)).toMatchObject({
      ...{ address: 'yaml:2', namespace: 'file-namespace', connection: { address: 'yaml:2', apiKey: 'key-of-yaml' } },
    });
    expect(
      resolveTemporalSettings({ taskQueue: 'q' }, { ...empty, TEMPORAL_CONFIG_FILE: '/nonexistent' }).address,
    ).toBe(undefined);
  });

  test('a profile of Temporal Cloud brings its key, and a key switches TLS on', () => {
    const settings = resolveTemporalSettings({ taskQueue: 'q', configFile: configFile(), profile: 'cloud' }, {});
    expect(settings).toMatchObject({
      address: 'ns.acct.tmprl.cloud:7233',
      namespace: 'ns.acct',
      connection: { apiKey: 'key-of-file', tls: true, metadata: { team: 'ml' } },
    });
    const environment = { TEMPORAL_API_KEY: 'key-of-environment', TEMPORAL_PROFILE: 'cloud' };
    const fromEnvironment = resolveTemporalSettings({ taskQueue: 'q', configFile: configFile() }, environment);
    expect(fromEnvironment.connection.apiKey).toBe('key-of-environment');
  });

  test('tls in moraine.yaml switches TLS on and off', () => {
    const off = { TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml' };
    const config = { taskQueue: 'q', address: 'a:1', apiKey: 'k' };
    expect(resolveTemporalSettings({ ...config, tls: false }, off).connection.tls).toBe(false);
    const on = resolveTemporalSettings({ taskQueue: 'q', address: 'a:1', tls: true }, off).connection.tls;
    expect(on).toBeTypeOf('object');
  });

  test.each([
    ['a profile that is not there', { profile: 'staging' }, CONFIG],
    ['a file that is no TOML', {}, 'address ='],
  ])('%s is an error of the configuration', (_, config, text) => {
    const resolve = () => resolveTemporalSettings({ taskQueue: 'q', configFile: configFile(text), ...config }, {});
    expect(codeOf(resolve)).toBe('CONFIG_INVALID');
  });
});
