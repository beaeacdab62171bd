/**
 * Finds or starts an S3 server, Nessie and Trino for start.mjs, sends it the variables of all three, and ends what it has started when start.mjs
 * has gone. A process of its own, so that a Ctrl-C ends the feature service first.
 */
/** What starts servers, as tests do; it also fetches them: Trino and Nessie from Maven Central, the S3 server from PyPI. */
const starters = () => import(new URL('../../dist/test/support/example-servers.js', import.meta.url).href);

const given = process.env;
const variables = {
  S3_ENDPOINT: given.S3_ENDPOINT,
  S3_BUCKET: given.S3_BUCKET || 'warehouse',
  AWS_REGION: given.AWS_REGION || 'us-east-1',
  AWS_ACCESS_KEY_ID: given.AWS_ACCESS_KEY_ID,
  AWS_SECRET_ACCESS_KEY: given.AWS_SECRET_ACCESS_KEY,
  NESSIE_URI: given.NESSIE_URI,
  NESSIE_REF: given.NESSIE_REF || 'main',
  TRINO_HOST: given.TRINO_HOST,
  TRINO_PORT: given.TRINO_PORT || '8080',
  TRINO_USER: given.TRINO_USER || 'feast',
  TRINO_CATALOG: given.TRINO_CATALOG || 'iceberg',
};
/** What ends the servers that were started. */
const endings = [];
const say = (name, text) => process.stdout.write(`${name.padEnd(9)} ${text}\n`);

/** The store, as what starts Nessie and Trino takes it. */
async function findStore() {
  if (variables.S3_ENDPOINT) {
    if (!variables.AWS_ACCESS_KEY_ID || !variables.AWS_SECRET_ACCESS_KEY)
      throw new Error('S3_ENDPOINT is set: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, too.');
  } else {
    const { startS3Server } = await starters();
    const server = await startS3Server();
    endings.push(server.close);
    await server.makeBucket(variables.S3_BUCKET);
    variables.S3_ENDPOINT = server.endpoint;
    variables.AWS_ACCESS_KEY_ID = server.options['s3.access-key-id'];
    variables.AWS_SECRET_ACCESS_KEY = server.options['s3.secret-access-key'];
  }
  say('S3', `${variables.S3_ENDPOINT}, bucket ${variables.S3_BUCKET}`);
  const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = variables;
  return { endpoint: variables.S3_ENDPOINT, options: { 's3.access-key-id': key, 's3.secret-access-key': secret } };
}

async function findNessie(store) {
  if (!variables.NESSIE_URI) {
    const { startNessie } = await starters();
    const server = await startNessie(store, `s3://${variables.S3_BUCKET}/iceberg`);
    endings.push(server.close);
    variables.NESSIE_URI = `${server.address}/api/v2`;
    if (variables.NESSIE_REF !== 'main') await server.makeReference(variables.NESSIE_REF, 'main');
  }
  // Clients of Nessie's own API name that; Iceberg's REST catalog is beside it, with the reference as its prefix.
  const address = variables.NESSIE_URI.replace(/\/(api\/v\d+|iceberg(\/[^/]*)?)?\/?$/, '');
  variables.NESSIE_ICEBERG_URI = `${address}/iceberg/${encodeURIComponent(variables.NESSIE_REF)}`;
  say('Nessie', `${variables.NESSIE_URI}, branch ${variables.NESSIE_REF}`);
  return { address };
}

async function findTrino(store, nessie) {
  if (!variables.TRINO_HOST) {
    const { onNessie, startTrino } = await starters();
    const server = await startTrino(store, { [variables.TRINO_CATALOG]: onNessie(nessie, variables.NESSIE_REF) });
    endings.push(server.close);
    const { hostname, port } = new URL(server.address);
    Object.assign(variables, { TRINO_HOST: hostname, TRINO_PORT: port });
  }
  say('Trino', `http://${variables.TRINO_HOST}:${variables.TRINO_PORT}, catalog ${variables.TRINO_CATALOG}`);
}

async function end(code) {
  await Promise.all(endings.map((close) => close()));
  process.exit(code);
}

process.once('disconnect', () => void end(0));
try {
  const store = await findStore();
  await findTrino(store, await findNessie(store));
  process.send?.(variables);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  await end(1);
}
