// Loaded before a program (`--import`): SIGUSR2 blocks its event loop for MORAINE_TEST_BLOCK_MS, as endless synchronous work would.
process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(process.env.MORAINE_TEST_BLOCK_MS));
});
