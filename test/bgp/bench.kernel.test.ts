// The benchmarks of BGP (`margay bench bgp`) run, all at once because most of their time is gobgpd waiting before it dials. Their figures are
// for nobody to judge here, but for what is counted.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Report, Result } from '../bench/types.ts';

const run = promisify(execFile);
const MAIN = resolve(import.meta.dirname, '..', 'bench', 'main.ts');

test('margay bench bgp reports every part, and no route is lost when a gobgpd is killed', async () => {
  const parts = await Promise.all(
    ['remote', 'fib', 'restart', 'mesh'].map(async (part): Promise<readonly Result[]> => {
      const args = [MAIN, 'bgp', '--quick', '--json', '--only', part];
      const { stdout } = await run(process.execPath, args, { timeout: 180_000 });
      return (JSON.parse(stdout) as Report).results;
    }),
  );
  const results = parts.flat();
  const line = (name: string): Result => {
    const found = results.find((result) => result.name === name);
    assert.ok(found, `${name}, expected among:\n${results.map((result) => result.name).join('\n')}`);
    return found;
  };
  assert.equal(line('block claimed, to route in a remote kernel, of 200 routes').other?.name, 'BIRD hears the same');
  assert.equal(line('200 routes into the kernel').other?.name, 'ip -batch');
  assert.equal(line('mesh of 4 nodes: sessions lost on the way').ours.p99, 0);
  assert.equal(line('gobgpd killed, 200 routes: deleted in the kernel').ours.p99, 0);
  assert.ok(line('gobgpd killed, 200 own paths: driven again').ours.p50 > 0);
  assert.ok(line('memory of the agent, 200 routes, resident').ours.p50 > 20);
  assert.equal(new Set(results.map(({ name }) => name)).size, results.length, 'a name is said once');
});
