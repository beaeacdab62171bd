/**
 * Signatures of requests to AWS. The first two are vectors of AWS's "Signature Version 4 test suite" (get-vanilla,
 * get-vanilla-query-order-key-case); the others were made by botocore, which gives the same for these two.
 */
import { describe, expect, test } from 'vitest';
import { requestSigner } from '../../../catalogs/rest/rest-signing.js';
import { rejectionCode } from '../../support/error-code.js';

const KEYS = {
  'rest.sigv4-enabled': 'true',
  'rest.signing-region': 'us-east-1',
  'rest.signing-name': 'service',
  'rest.access-key-id': 'AKIDEXAMPLE',
  'rest.secret-access-key': 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const DATE = new Date('2015-08-30T12:36:00Z');
const HOST = 'https://example.amazonaws.com';

async function signed(
  method: string,
  address: string,
  { options = {}, headers = {}, body = '' }: { options?: object; headers?: Record<string, string>; body?: string } = {},
) {
  const sign = await requestSigner({ ...KEYS, ...options });
  return await sign?.({ method, url: new URL(address), headers, body, date: DATE });
}

describe('a signed request has', () => {
  test('the signature of the published vectors', async () => {
    const plain = await signed('GET', `${HOST}/`);
    expect(plain).toEqual({
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
    const query = await signed('GET', `${HOST}/?Param2=value2&Param1=value1`);
    expect(query?.['authorization']).toContain('b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500');
  });

  test('that of botocore for an encoded path, a query, a session and a body', async () => {
    const path = '/iceberg/v1/catalogs/12%3Ax/namespaces/a%1Fb%20c/tables?pageToken=a%2Fb%3D';
    const session = await signed('GET', `https://glue.us-east-1.amazonaws.com${path}`, {
      options: { 'rest.signing-name': 'glue', 'rest.session-token': 'session' },
    });
    expect(session?.['x-amz-security-token']).toBe('session');
    expect(session?.['authorization']).toContain('7e58e9cf3de2c159738aa4b3596e0b02cabd2fd8d6b7038f66eaa7edb941d09c');
    const posted = await signed('POST', `${HOST}/`, {
      headers: { 'content-type': 'application/json' },
      body: '{"a":"ü"}',
    });
    expect(posted?.['authorization']).toContain('4e02bf1e14aee415c39b61a92064660cf5b9f2b5e42f42273817949e7a1d718e');
  });

  test('a token under another name', async () => {
    const both = await signed('GET', `${HOST}/`, { headers: { authorization: 'Bearer x' } });
    expect(both?.['original-authorization']).toBe('Bearer x');
    expect(both?.['authorization']).toMatch(/^AWS4-HMAC-SHA256 .*SignedHeaders=host;original-authorization;x-amz-date/);
  });
});

test('nothing is signed unless it is asked for, and half of the settings are refused', async () => {
  expect(await requestSigner({})).toBeUndefined();
  expect(await rejectionCode(requestSigner({ 'rest.sigv4-enabled': 'true' }, {}))).toBe('CONFIG_INVALID');
  for (const missing of ['rest.access-key-id', 'rest.secret-access-key']) {
    const options = Object.fromEntries(Object.entries(KEYS).filter(([name]) => name !== missing));
    expect(await rejectionCode(requestSigner(options)), missing).toBe('CONFIG_INVALID');
  }
});
