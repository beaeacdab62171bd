// Holds the local Temporal server of a state folder until told to stop by SIGTERM, like a command does. Prints it as JSON.
import { startOrJoinLocalServer } from '../../dist/workers/index.js';

const server = await startOrJoinLocalServer({ stateFolder: process.argv[2] });
process.stdout.write(`${JSON.stringify(server)}\n`);
if (process.argv[3] === 'throw') throw new Error('an uncaught error');
if (process.argv[3] === 'exit') process.exit(0);
setInterval(() => {}, 1_000);
