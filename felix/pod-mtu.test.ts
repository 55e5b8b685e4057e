// Which links an MTU is taken from where the one with the node's address leads nowhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Link } from '../lib/linux/links.ts';
import { linksThatLeadOn } from './pod-mtu.ts';

test('linksThatLeadOn() takes the physical links before others, and none that is down, a dummy or of a pod', () => {
  const link = (name: string, index: number, about: Partial<Link> = {}): Link => ({
    ...{ name, index, mtu: 1500, group: 0, up: true, running: true },
    ...about,
  });
  const lo = link('lo', 1);
  const dummy = link('dummy0', 2, { kind: 'dummy' });
  const pod = link('mgy0123456789a', 3, { kind: 'veth' });
  const docker = link('docker0', 4, { kind: 'bridge' });
  const [eth0, eth1, eth2] = [link('eth0', 5), link('eth1', 6), link('eth2', 7, { up: false })];
  const rows = [
    { given: [lo, dummy, pod, docker, eth0, eth1, eth2], expected: [eth0, eth1] },
    { given: [lo, dummy, pod, docker, eth2], expected: [docker] },
    { given: [lo, dummy, pod], expected: [] },
  ];
  for (const { given, expected } of rows) assert.deepEqual(linksThatLeadOn(given), expected);
});
