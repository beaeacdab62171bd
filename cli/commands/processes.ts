import type { Command } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

/** `dev`, `worker`, `serve`, `codec-server`, `deployment`, `project`, `cache` and `doctor`. */
export function declareProcessCommands(program: Command, runner: ActionRunner): void {
  const dev = program
    .command('dev')
    .summary('Run a Temporal server and a worker until Ctrl-C.')
    .description(
      'Run a Temporal server and a worker for this project until Ctrl-C, and print the address of the web UI.',
    )
    .option('--json', 'print the addresses as JSON');
  withExamples(dev, 'dev');
  does(dev, runner, async () => (await import('../actions/dev.js')).dev);

  const worker = program
    .command('worker')
    .summary('Run a worker on the configured Temporal server.')
    .description('Run a worker on the configured Temporal server until Ctrl-C.')
    .option('--task-queue <name>', 'the task queue (default: temporal.taskQueue of the configuration)')
    .option('--roles <names>', 'what it takes, of workflows, light and heavy (activities) (default: everything)')
    .option('--health <host:port>', 'serve /healthz, /readyz and /metrics there (default: worker.health)');
  withExamples(worker, 'worker', 'worker --health 127.0.0.1:9464', 'worker --roles heavy');
  does(worker, runner, async () => (await import('../actions/worker.js')).worker);

  declareServe(program, runner);

  const codec = program
    .command('codec-server')
    .summary("Decrypt for Temporal's web UI and command.")
    .description("Serve Temporal's remote codec with the encryption keys of this project until Ctrl-C.")
    .option('--listen <host:port>', 'where it is served', '127.0.0.1:8081')
    .option(
      '--origins <urls>',
      'origins of the web UI that may ask, separated by commas',
      'http://localhost:8233,http://127.0.0.1:8233',
    );
  withExamples(codec, 'codec-server', 'codec-server --origins https://temporal.example.com');
  does(codec, runner, async () => (await import('../actions/codec-server.js')).codecServer);

  const deployment = program
    .command('deployment')
    .description('Choose the version of the workers that takes new runs.')
    .helpCommand(false);
  const setCurrent = deployment
    .command('set-current')
    .description('Make a version of the workers the current one of its deployment, which takes new runs.')
    .argument('[build-id]', 'its build id (default: temporal.deployment.buildId of the configuration)');
  withExamples(setCurrent, 'deployment set-current', 'deployment set-current 2026-11-21');
  does(setCurrent, runner, async () => (await import('../actions/deployment.js')).deploymentSetCurrent);

  const project = program
    .command('project')
    .description('The identity of this project, and where its files are.')
    .helpCommand(false);
  const showProject = project
    .command('show')
    .description('Print the identity and the task queue of this project.')
    .option('--json', 'print JSON');
  withExamples(showProject, 'project show');
  does(showProject, runner, async () => (await import('../actions/project.js')).projectShow);
  const newId = project
    .command('new-id')
    .summary('Give a copied project an identity of its own.')
    .description(
      'Give this project a new identity, for a copy of another project. Runs and schedules of the old identity are no longer its own: delete its schedules first, and restart its workers.',
    )
    .option('--json', 'print JSON');
  withExamples(newId, 'project new-id');
  does(newId, runner, async () => (await import('../actions/project.js')).projectNewId);

  const mapLocations = project
    .command('map-locations')
    .summary('Find the files of a project that was moved.')
    .description(
      'Map the locations that tables of a moved or mounted project name to the folders where their files are now: look for them below the storage roots, and write storage.locations into moraine.yaml. No table is changed.',
    )
    .option('--from <prefix>', 'map this prefix of locations, without looking for files; with --to')
    .option('--to <folder>', 'the folder that the prefix means here')
    .option('--dry-run', 'write nothing')
    .option('--json', 'print JSON');
  withExamples(
    mapLocations,
    'project map-locations --dry-run',
    'project map-locations --from /home/ann/shop/warehouse --to warehouse',
  );
  does(mapLocations, runner, async () => (await import('../actions/map-locations.js')).mapLocations);

  const cache = program
    .command('cache')
    .description('Files of an object store that are kept on this machine.')
    .helpCommand(false);
  const showCache = cache
    .command('show')
    .description('Print the folder, how many files it has, and their size on the disk.')
    .option('--json', 'print JSON');
  withExamples(showCache, 'cache show');
  does(showCache, runner, async () => (await import('../actions/cache.js')).cacheShow);
  const clearCache = cache
    .command('clear')
    .description('Remove the files. They are fetched again when they are read; runs that read them go on.')
    .option('--json', 'print JSON');
  withExamples(clearCache, 'cache clear');
  does(clearCache, runner, async () => (await import('../actions/cache.js')).cacheClear);

  const doctor = program
    .command('doctor')
    .summary('Check this machine and this project.')
    .description('Check what Moraine needs on this machine and in this project.')
    .option('--json', 'print JSON');
  withExamples(doctor, 'doctor');
  does(doctor, runner, async () => (await import('../actions/doctor.js')).doctor);
}

/** `serve` and `serve key`. */
function declareServe(program: Command, runner: ActionRunner): void {
  const serve = program
    .command('serve')
    .summary('Serve online features over HTTP.')
    .description(
      'Serve online features over HTTP until Ctrl-C or SIGTERM, for clients of Feast and others. Requests that have begun are finished. It needs no Temporal server.',
    )
    .option('--host <address>', 'the address to listen on (default: server.host, else 127.0.0.1)')
    .option('--port <number>', 'the port; 0 for any free one (default: server.port, else 6566)')
    .option('--feast-registry <file>', 'keep a registry file for Feast up to date, as `feast export` writes it')
    .option('--feast-project <name>', 'name of its project in Feast', 'moraine')
    .option('--json', 'print the address as JSON')
    .helpCommand(false);
  withExamples(serve, 'serve', 'serve --host 0.0.0.0 --port 8080');
  does(serve, runner, async () => (await import('../actions/serve.js')).serve);

  const key = serve
    .command('key')
    .description('API keys of the service, in the file of server.keys.')
    .helpCommand(false);
  const create = key
    .command('create')
    .description('Make a key and print it. The file keeps its hash alone: the key is not shown again.')
    .argument('<name>', 'who uses it')
    .option('--scope <scopes>', 'what it may do, of read, write and admin, separated by commas', 'read')
    .option('--json', 'print JSON');
  withExamples(create, 'serve key create ranking-model', 'serve key create ingest --scope read,write');
  does(create, runner, async () => (await import('../actions/serve-key.js')).serveKeyCreate);
  const list = key
    .command('list')
    .description('Print the keys: id, name, scopes, when they were made.')
    .option('--json', 'print JSON');
  withExamples(list, 'serve key list');
  does(list, runner, async () => (await import('../actions/serve-key.js')).serveKeyList);
  const remove = key
    .command('delete')
    .description('Delete a key. A running service refuses it within a second.')
    .argument('<id>', 'its id, as the list shows it');
  withExamples(remove, 'serve key delete 3f9a01bc');
  does(remove, runner, async () => (await import('../actions/serve-key.js')).serveKeyDelete);
}
