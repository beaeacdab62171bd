import type { Command } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

/** `import feast`. */
export function declareImportCommands(program: Command, runner: ActionRunner): void {
  const group = program.command('import').description('Make a project from that of another system.').helpCommand(false);

  const feast = group
    .command('feast')
    .summary('Make a project from a Feast repository.')
    .description(
      'Make moraine.yaml and features.yaml from a Feast repository and list what has no counterpart. The registry is read, no Python is run, and nothing is overwritten.',
    )
    .argument('<repo>', 'the folder with feature_store.yaml, after `feast apply`')
    .option('--out <dir>', 'where the files go, created if it does not exist (default: this folder)')
    .option('--dry-run', 'print the files instead of writing them')
    .option('--json', 'print the result as JSON');
  withExamples(feast, 'import feast ../feature_repo --dry-run', 'import feast ../feature_repo --out rides');
  does(feast, runner, async () => (await import('../actions/import-feast.js')).importFeastRepository);
}

/** `feast export`. */
export function declareFeastCommands(program: Command, runner: ActionRunner): void {
  const group = program.command('feast').description("Work with Feast's clients.").helpCommand(false);
  const feast = group
    .command('export')
    .summary('Write a Feast repository that reads from `moraine serve`.')
    .description(
      'Write registry.db and feature_store.yaml, which Feast 0.67 uses as they are: its online store is `moraine serve`. Files of these names in the folder are replaced; `serve --feast-registry` keeps registry.db up to date.',
    )
    .argument('<dir>', 'the folder, created if it does not exist')
    .option('--project <name>', 'name of the project in Feast', 'moraine')
    .option('--url <address>', 'address of the service (default: by server.host and server.port)')
    .option('--json', 'print the result as JSON');
  withExamples(feast, 'feast export feature_repo', 'feast export feature_repo --url https://features.example.com');
  does(feast, runner, async () => (await import('../actions/feast-export.js')).feastExport);
}
