#!/usr/bin/env node
import { runCli } from './run.js';

/** What a command leaves open has this long to end by itself. */
const END_MS = 2_000;

process.exitCode = await runCli(process.argv.slice(2));
// A thread that workflow code keeps busy must not hold the process.
setTimeout(() => process.exit(), END_MS).unref();
