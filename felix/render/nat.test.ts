import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { ipPool } from '../../test/support/ipam-world.ts';
import { NAT_TABLE, natObjects } from './nat.ts';

const text = (...pools: readonly IpPool[]): string =>
  printRuleset({ table: NAT_TABLE, objects: natObjects({ pools, bgpPorts: [1179, 2179] }) });

test('natObjects() has nothing for pools that want no translation', () => {
  const pools = [ipPool('a', '10.244.0.0/16'), ipPool('b', '10.245.0.0/16', { natOutgoing: false })];
  assert.equal(natObjects({ pools, bgpPorts: [1179] }).size, 0);
});

test('natObjects() joins touching pools and counts disabled ones as inside', () => {
  const printed = text(
    ipPool('b', '10.245.0.0/16', { natOutgoing: true }),
    ipPool('a', '10.244.0.0/16', { natOutgoing: true }),
    ipPool('exempt', '192.0.2.0/24', { disabled: true }),
    ipPool('one', '203.0.113.7/32', { blockSize: 32 }),
    ipPool('six', 'fd00:10:244::/48'),
  );
  assert.match(printed, /type nat hook postrouting priority (100|srcnat)/);
  assert.match(
    printed,
    /meta l4proto \. th dport @bgp_ports return\n\s*ip saddr @nat4 ip daddr != @pools4 masquerade fully-random/,
  );
  const ports = /set bgp_ports {[^}]*elements = {([^}]*)}/
    .exec(printed)?.[1]
    ?.split(',')
    .map((each) => each.trim());
  assert.deepEqual(ports?.toSorted(), [
    'tcp . 1179',
    'tcp . 179',
    'tcp . 2179',
    'udp . 3784',
    'udp . 3785',
    'udp . 4784',
  ]);
  assert.match(printed, /set nat4 {[^}]*elements = { 10\.244\.0\.0\/15 }/);
  assert.match(printed, /192\.0\.2\.0\/24/);
  assert.match(printed, /203\.0\.113\.7/);
  assert.doesNotMatch(printed, /ip6|fd00/);
});

test('natObjects() translates each family by itself', () => {
  const printed = text(ipPool('a', '10.244.0.0/16'), ipPool('six', 'fd00:10:244::/48', { natOutgoing: true }));
  assert.match(printed, /ip6 saddr @nat6 ip6 daddr != @pools6 masquerade fully-random/);
  assert.doesNotMatch(printed, /10\.244/);
});
