// The ToR's configuration files, read by the programs they are for.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { testNetns } from '../../test/support/netns.ts';
import { findExecutable } from '../exec.ts';
import { planLab } from '../spec.ts';
import { printBirdConfig } from './bird.ts';
import { printFrrConfig, removeFrrScratch } from './frr.ts';
import { printGobgpConfig } from './gobgp.ts';
import { TORS } from './tor.ts';

const run = promisify(execFile);
const spec = planLab({ name: 'test', nodes: 3, tor: 'bird' }, { pid: 1, startTime: '1' });

test('every ToR is made of programs that can be found', () => {
  for (const { requires } of Object.values(TORS)) {
    for (const { program, package: bringer } of requires) findExecutable(program, bringer);
  }
  assert.throws(() => findExecutable('no-such-router', 'the package nothing'), {
    message: 'Cannot start no-such-router: not found in PATH, expected the package nothing',
  });
});

test('printBirdConfig() is what bird reads', async (t) => {
  const config = printBirdConfig(spec);
  assert.match(config, /protocol bgp node3 from rack \{ neighbor 198\.51\.100\.13 as 64512; \}/);
  await run(findExecutable('bird', 'bird2'), ['-p', '-c', write(t, config)]);
});

test('printFrrConfig() is what bgpd reads', async (t) => {
  const config = printFrrConfig(spec);
  assert.match(config, /neighbor 198\.51\.100\.13 remote-as 64512/);
  const path = write(t, config);
  const netns = await testNetns(t, 'frr');
  const checking = run('nsenter', [
    ...[`--net=${netns.path}`, findExecutable('bgpd', 'frr'), '-C', '-f', path],
    ...['-u', 'root', '-g', 'frrvty', '-i', `${path}.pid`, '--vty_socket', join(path, '..')],
  ]);
  t.after(() => removeFrrScratch({ pid: checking.child.pid ?? 0, command: 'bgpd' }));
  const { stdout, stderr } = await checking;
  assert.doesNotMatch(stdout + stderr, /Unknown command|failure|error occurred/i);
});

test('printGobgpConfig() is what gobgpd reads', async (t) => {
  const config = printGobgpConfig(spec);
  const { neighbors } = JSON.parse(config);
  assert.equal(neighbors.length, 3);
  for (const { transport } of neighbors) assert.equal(transport.config['passive-mode'], true, 'the nodes dial');
  await run('gobgpd', ['-f', write(t, config), '-t', 'json', '-d']);
});

function write(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'margay-tor-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'config');
  writeFileSync(path, text);
  return path;
}
