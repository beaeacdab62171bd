import type { Command } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

/** `workflow export|replay`. */
export function declareWorkflowCommands(program: Command, runner: ActionRunner): void {
  const workflow = program
    .command('workflow')
    .description('Keep and replay the histories of workflow runs.')
    .helpCommand(false);

  const exportCommand = workflow
    .command('export')
    .description('Write the history of a run as JSON, for replay tests.')
    .argument('<workflow-id>', 'the id, as the web UI shows it')
    .option('--run-id <id>', 'a run of it (default: the latest)')
    .option('--out <file>', 'write to this file, which must not exist (default: standard output)');
  withExamples(exportCommand, 'workflow export materialize/airport_delay/incremental --out histories/first.json');
  does(exportCommand, runner, async () => (await import('../actions/workflow-export.js')).workflowExport);

  const replay = workflow
    .command('replay')
    .description('Replay recorded histories on the workflow code of this version.')
    .argument('<path...>', 'history files, or folders of them')
    .option('--json', 'print JSON');
  withExamples(replay, 'workflow replay histories/');
  does(replay, runner, async () => (await import('../actions/workflow-replay.js')).workflowReplay);
}
