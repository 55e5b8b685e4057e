// What the judgement of frames rests on: that a frame is what it says, that none is lost, and that silence is noticed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipFamily, parseIp } from '../../../lib/ip.ts';
import { unwrap } from '../../../lib/result.ts';
import type { World } from '../../../policy/oracle.ts';
import { podKey } from '../../../policy/world.ts';
import { policy, world } from '../../policy/world-builder.ts';
import { podField } from './pod-field.ts';
import type { Shot } from './prober.ts';

const ip = (text: string) => unwrap(parseIp(text));
const PODS = [
  { namespace: 'n', name: 'a', ips: [ip('10.244.0.10'), ip('fd00:10:244::10')] },
  { namespace: 'n', name: 'b', ips: [ip('10.244.0.11'), ip('fd00:10:244::11')] },
];
const OUTSIDE = { name: 'outside', ips: [ip('203.0.113.9'), ip('2001:db8::9')] };
const ENDS = [...PODS.map(({ namespace, name, ips }) => ({ name: podKey(namespace, name), ips })), OUTSIDE];

const SHOTS = ENDS.flatMap((from) =>
  ENDS.filter((to) => to !== from).flatMap((to) =>
    ([0, 1] as const).flatMap((index) =>
      (['tcp', 'udp', 'sctp', 'icmp'] as const).flatMap((protocol): readonly Shot[] => {
        const [saddr, daddr] = [from.ips[index], to.ips[index]];
        return saddr && daddr ? [{ from: from.name, to: to.name, saddr, daddr, protocol, dport: 80 }] : [];
      }),
    ),
  ),
);

const worldOf = (policies: World['policies']): World =>
  world({
    pods: Object.fromEntries(PODS.map(({ namespace, name, ips }) => [podKey(namespace, name), { ips }])),
    policies,
  });

test('frames between pods and outside', { timeout: 120_000 }, async (t) => {
  const field = await podField(t, PODS, { timeoutMs: 3000 });
  const all = (result: boolean): readonly boolean[] => SHOTS.map(() => result);

  assert.deepEqual(await field.probe(SHOTS), all(false), 'before the pods are known');
  field.show(worldOf([]));
  assert.deepEqual(await field.probe(SHOTS), all(true), 'without policies');
  // Conntrack knows no flow of a packet whose checksum or form is wrong.
  for (const family of [4, 6] as const) {
    const flows = await field.node.exec('conntrack', '-L', '-f', `ipv${family}`);
    for (const protocol of ['tcp', 'udp', 'sctp', family === 4 ? 'icmp' : 'icmpv6']) {
      const found = flows
        .split('\n')
        .filter((line) => line.startsWith(`${protocol} `) && !line.includes('203.0.113.2'));
      assert.equal(found.length, ENDS.length * (ENDS.length - 1), `${protocol} over IPv${family}\n${flows}`);
    }
  }
  field.show(worldOf([policy('n/deny', { policyTypes: ['Ingress', 'Egress'] })]));
  assert.deepEqual(await field.probe(SHOTS), all(false), 'with everything denied');
  field.show(worldOf([policy('n/deny-b', { podSelector: { matchLabels: { no: 'pod' } } })]));

  const many = Array.from({ length: 40 }, () => SHOTS).flat();
  assert.ok((await field.probe(many)).every(Boolean), 'rounds that follow each other lose nothing');

  const [first] = SHOTS;
  assert.ok(first);
  await assert.rejects(field.probe([{ ...first, to: 'outside' }]), /a frame to outside .* came to n\/b/);
  const foreign = SHOTS.filter(({ from, saddr }) => from === 'n/a' && ipFamily(saddr) === 4);
  const spoofed = foreign.map((shot) => ({ ...shot, saddr: ip('10.244.0.99') }));
  assert.deepEqual(
    await field.probe(spoofed),
    spoofed.map(() => false),
    'from an address of nobody',
  );

  await field.node.exec('sysctl', '-qw', 'net.ipv4.conf.out0.forwarding=0');
  await assert.rejects(field.probe(SHOTS), /Cannot wait for the mark of a round of frames/);
});
