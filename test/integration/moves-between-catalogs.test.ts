/** Tables that move to PostgreSQL, Glue and a REST server, and away from each. */
import { afterAll, beforeAll, test } from 'vitest';
import { type GlueServer, startGlue } from '../support/glue-server.js';
import { expectMovesThrough } from '../support/moved-through.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { type RestServer, s3OfRest, startRestServer } from '../support/rest-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';

let s3: S3Server;
let postgres: PostgresServer;
let glue: GlueServer;
let rest: RestServer;
beforeAll(async () => {
  [s3, postgres] = await Promise.all([startS3Server(), startPostgres()]);
  await s3.makeBucket('lake');
  glue = await startGlue(s3);
  rest = await startRestServer('s3://lake/rest', s3OfRest(s3));
});
afterAll(() => Promise.all([postgres.close(), rest.close(), glue.close(), s3.close()]));

test('a table keeps its history on its way through PostgreSQL, Glue and a REST server; PyIceberg reads it in each', async () => {
  const database = await postgres.makeDatabase();
  await expectMovesThrough(s3, {
    postgres: {
      config: { uri: database, warehouse: 's3://lake/postgres' },
      python: {
        type: 'sql',
        name: 'postgres',
        uri: database.replace('postgresql:', 'postgresql+psycopg2:'),
        warehouse: 's3://lake/postgres',
      },
    },
    glue: {
      config: { type: 'glue', warehouse: 's3://lake/glue', options: glue.options },
      python: { type: 'glue', ...glue.options },
    },
    rest: { config: { type: 'rest', uri: rest.uriOf('lake') }, python: { type: 'rest', uri: rest.uriOf('lake') } },
  });
});
