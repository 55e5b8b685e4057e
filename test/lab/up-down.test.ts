// Labs from the command line: two side by side, what status names is there, and down leaves nothing, also of one whose
// start was interrupted.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { labNetns } from '../../lab/netns.ts';
import { netnsPath } from '../../lab/paths.ts';
import { startTimeOf } from '../../lab/processes.ts';
import { readSpec } from '../../lab/state.ts';
import type { LabStatus } from '../../lab/status.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { labName, leftovers, machineState, margay, margayOk, spawnMargay } from './lab-cli.ts';

const PATIENCE = { timeoutMs: 30_000, everyMs: 5 };

test('two labs run side by side, and status names what is there', async (t) => {
  const before = machineState();
  const [one, two] = [await labName(t), await labName(t)];
  await Promise.all([
    margayOk('lab', 'up', '--name', one, '--nodes', '2'),
    margayOk('lab', 'up', '--name', two, '--nodes', '1', '--tor', 'frr'),
  ]);
  const again = await margay('lab', 'up', '--name', one);
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /^margay: Cannot start lab ".*": it runs already, expected .*lab down/);

  const pod = ['lab', 'pod', 'run', 'web', '--port', '80/tcp', '--label', 'app=web'];
  assert.match(await margayOk(...pod, '--name', one, '--node', 'node2'), /^pod\/web runs on node2 with 10\.244\./);
  assert.match(await margayOk(...pod, '--name', two), /^pod\/web runs on node1 with 10\.244\./);
  // Of a namespace that nobody has made, and without a port.
  await margayOk('lab', 'pod', 'run', 'shop/client', '--name', two);
  assert.match(await margayOk('get', 'namespaces', '--lab', two), /^shop /m);
  const matrix = (...more: readonly string[]) => margayOk('lab', 'matrix', '--name', two, ...more);
  assert.match(await matrix('--port', '80/tcp'), /2 of 2 connections as expected\n$/);
  await margayOk('lab', 'pod', 'delete', 'web', '--name', two);
  assert.match(await matrix(), /^No cells: .*, expected --port 80\/tcp, or /);

  await margayOk('lab', 'exec', '--name', one, 'default/web', '--', 'ping', '-c', '1', '-W', '5', '198.51.100.11');
  await margayOk('lab', 'node', 'exec', '--name', one, 'tor', 'ping', '-c', '1', '-W', '5', '198.51.100.12');
  assert.equal((await margay('lab', 'exec', '--name', one, 'web', '--', 'sh', '-c', 'exit 7')).exitCode, 7);

  for (const name of [one, two]) {
    const status = JSON.parse(await margayOk('lab', 'status', '--json', '--name', name)) as LabStatus;
    const { paths, pids, namespaces } = namedIn(status);
    assert.deepEqual(
      paths.filter((path) => !existsSync(path)),
      [],
      'files and sockets',
    );
    assert.deepEqual(
      pids.filter((pid) => startTimeOf(pid) === undefined),
      [],
      'processes',
    );
    assert.deepEqual(namespaces.toSorted(), labNetns(name).toSorted(), 'namespaces');
    assert.equal(
      status.nodes.every(({ ready, bgp }) => ready && bgp !== undefined && bgp.established === bgp.peers),
      true,
    );
  }

  assert.equal(await margayOk('lab', 'pod', 'delete', 'web', '--name', one), 'pod/web deleted\n');
  assert.match((await margay('lab', 'pod', 'delete', 'web', '--name', one)).stderr, /^margay: Cannot delete pod/);
  assert.equal(await margayOk('lab', 'down', '--name', one), `Lab ${one} removed\n`);
  assert.deepEqual(leftovers(one), []);
  const status = JSON.parse(await margayOk('lab', 'status', '--json', '--name', two)) as LabStatus;
  assert.equal(status.nodes[0]?.ready, true, 'the other lab is unhurt');
  await margayOk('lab', 'down', '--name', two);
  assert.deepEqual(leftovers(two), []);
  assert.equal(await margayOk('lab', 'down', '--name', two), `Lab ${two} was not there\n`);
  assert.equal(machineState(), before);
});

test('down leaves nothing of an up that was killed at any moment', async (t) => {
  const name = await labName(t);
  const moments: readonly (readonly [string, () => boolean])[] = [
    ['the first namespace', () => labNetns(name).length > 0],
    ['the last namespace', () => labNetns(name).length === 4],
    ['the first socket', () => existsSync(`/run/margay/lab/${name}/nodes/node1/gobgp/gobgp.sock`)],
    ['the first agent', () => existsSync(`/run/margay/lab/${name}/nodes/node1/control.sock`)],
  ];
  for (const [moment, isReached] of moments) {
    const up = spawnMargay(['lab', 'up', '--name', name, '--nodes', '2'], { stdio: 'ignore' });
    await waitFor(moment, isReached, { timeoutMs: 30_000, everyMs: 1 });
    up.kill('SIGKILL');
    await once(up, 'close');
    assert.equal(await margayOk('lab', 'down', '--name', name), `Lab ${name} removed\n`, moment);
    assert.deepEqual(leftovers(name), [], moment);
  }
});

test('a start cleans what a killed one left, and an interrupted demo removes its lab', async (t) => {
  const name = await labName(t);
  const killed = spawnMargay(['lab', 'up', '--name', name, '--nodes', '5'], { stdio: 'ignore' });
  await waitFor('its agents', () => existsSync(`/run/margay/lab/${name}/nodes/node5/agent.pid`), PATIENCE);
  killed.kill('SIGKILL');
  await once(killed, 'close');
  assert.ok(leftovers(name).length > 0);

  const first = startDemo(name);
  await waitFor('a pod of the first demo', () => hasPodOf(name, first.child.pid), PATIENCE);
  assert.deepEqual(
    labNetns(name).filter((netns) => /node[2-5]$/.test(netns)),
    [],
    'leftovers of the killed one',
  );
  first.child.kill('SIGKILL');
  await once(first.child, 'close');

  const second = startDemo(name);
  await waitFor('a pod of the second demo', () => hasPodOf(name, second.child.pid), PATIENCE);
  second.child.kill('SIGINT');
  const [code] = await once(second.child, 'close');
  assert.equal(code, 1);
  assert.equal((JSON.parse(second.output()) as { error: string }).error, 'interrupted');
  assert.deepEqual(leftovers(name), []);
});

function startDemo(name: string) {
  const child = spawnMargay(['lab', 'demo', '--name', name, '--nodes', '1', '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return { child, output: () => output };
}

/** Whether a lab that this process started has a pod. */
const hasPodOf = (lab: string, pid: number | undefined): boolean =>
  readSpec(lab)?.startedBy.pid === pid && labNetns(lab).some((netns) => netns.includes('-pod-'));

/** Everything that a status names. */
function namedIn(status: LabStatus) {
  const { nodes, tor, pods, runtime, controller, segment, datastore } = status;
  const supervised = [runtime, controller, tor.outside, ...nodes.flatMap(({ agent, gobgpd }) => [agent, gobgpd])];
  const pids = [
    ...supervised.flatMap(({ pid, supervisorPid }) => [pid, supervisorPid]),
    ...[...tor.daemons, ...pods].map(({ pid }) => pid),
  ];
  return {
    pids: pids.map((pid) => pid ?? 0),
    namespaces: [segment.netns, tor.netns, ...nodes.map(({ netns }) => netns), ...pods.map(({ netns }) => netns)],
    paths: [
      datastore,
      tor.outside.socket,
      ...[...supervised, ...tor.daemons, ...pods].map(({ log }) => log),
      ...nodes.flatMap(({ sockets }) => Object.values(sockets)),
      ...pods.flatMap(({ socket, netns, record }) => [socket, record, netnsPath(netns)]),
    ],
  };
}
