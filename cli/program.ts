/** Every command, argument and option of `moraine`. `docs/cli.md` is written from this. */
import { Command } from 'commander';
import { declareBackfillCommands } from './commands/backfill.js';
import { declareCompactionCommands } from './commands/compaction.js';
import { declareDefinitionCommands } from './commands/definitions.js';
import { declareEstimateCommand } from './commands/estimate.js';
import { declareFeatureCommands } from './commands/features.js';
import { declareFeastCommands, declareImportCommands } from './commands/import.js';
import { declareIngestCommands } from './commands/ingest.js';
import { declareMaintenanceCommands } from './commands/maintenance.js';
import { declareProcessCommands } from './commands/processes.js';
import { declareRunCommands } from './commands/runs.js';
import { declareScheduleCommands } from './commands/schedule.js';
import { declareSinkCommands } from './commands/sink.js';
import { declareTableCommands } from './commands/table.js';
import { declareWorkflowCommands } from './commands/workflow.js';
import type { ActionRunner } from './define.js';
import { packageVersion } from './package-version.js';

/** @param runner runs a command's action */
export function buildProgram(runner: ActionRunner): Command {
  const program = new Command('moraine')
    .description('Keeps machine-learning features fresh in Apache Iceberg.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--config <file>', 'the configuration (default: moraine.yaml here or in a folder above)')
    .option('--verbose', 'show where an error came from, and what was asked of object stores')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .addHelpText(
      'after',
      `
Tables are [CATALOG/]NAMESPACE.TABLE; a name with a dot in it is written in double quotes.
Times are ISO-8601, UTC unless they have an offset. Ranges hold their start and not their end, unless an option says so.
Run \`moraine COMMAND --help\` for a command's options and examples.`,
    );
  declareDefinitionCommands(program, runner);
  declareImportCommands(program, runner);
  declareFeastCommands(program, runner);
  declareFeatureCommands(program, runner);
  declareEstimateCommand(program, runner);
  declareTableCommands(program, runner);
  declareSinkCommands(program, runner);
  declareIngestCommands(program, runner);
  declareBackfillCommands(program, runner);
  declareCompactionCommands(program, runner);
  declareMaintenanceCommands(program, runner);
  declareProcessCommands(program, runner);
  declareWorkflowCommands(program, runner);
  declareScheduleCommands(program, runner);
  declareRunCommands(program, runner);
  return program;
}
