#!/usr/bin/env node
import { runCli } from './run.js';

/** Time for a command's open handles to close by themselves. */
const END_MS = 2_000;

process.exitCode = await runCli(process.argv.slice(2));
// A thread that workflow code keeps busy must not hold the process.
setTimeout(() => process.exit(), END_MS).unref();
