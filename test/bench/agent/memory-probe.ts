// Loaded into the agent's process before the agent, by `--import`: on SIGUSR2 it writes how the memory is divided into the
// file of MARGAY_BENCH_PROBE.
import { renameSync, writeFileSync } from 'node:fs';

const path = process.env['MARGAY_BENCH_PROBE'] ?? '';

process.on('SIGUSR2', () => {
  writeFileSync(`${path}.new`, JSON.stringify(process.memoryUsage()));
  renameSync(`${path}.new`, path);
});
