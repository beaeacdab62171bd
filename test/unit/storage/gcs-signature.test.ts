import { expect, test } from 'vitest';
import { gcsAuthorization, sha256 } from '../../../storage/gcs/gcs-signature.js';

// The signature was computed by a program of its own, from the rules of the documentation.
test('a request is signed with an HMAC key in the words of Google', () => {
  const request = {
    method: 'PUT',
    path: '/lake/a%20b/c.parquet',
    query: [
      ['uploadId', 'x/y'],
      ['partNumber', '2'],
    ] as const,
    headers: {
      'x-goog-meta-moraine-writer': 'w',
      host: 'storage.googleapis.com',
      'x-goog-content-sha256': sha256('abc'),
      'x-goog-date': '20261124T205900Z',
      'x-goog-if-generation-match': '0',
    },
    contentSha256: sha256('abc'),
  };
  const key = { accessKeyId: 'GOOG1MORAINE', secretAccessKey: 'canary-secret-of-gcs' };
  expect(gcsAuthorization(request, key, '20261124T205900Z')).toBe(
    'GOOG4-HMAC-SHA256 Credential=GOOG1MORAINE/20261124/auto/storage/goog4_request, SignedHeaders=host;x-goog-content-sha256;x-goog-date;x-goog-if-generation-match;x-goog-meta-moraine-writer, Signature=71a42d593a683d21efbfb0e21c0a018c5e2ed9863d656913ac5d0c223e8952b0',
  );
});
