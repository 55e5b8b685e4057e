import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseCidr } from '../../../lib/cidr.ts';
import { parseIp } from '../../../lib/ip.ts';
import { hostIfName } from '../../../lib/linux/if-name.ts';
import { type WalkPacket, walk } from '../../../lib/nftables/walk.ts';
import { unwrap } from '../../../lib/result.ts';
import { createPipeline } from '../../../test/policy/pipeline.ts';
import { policy, world } from '../../../test/policy/world-builder.ts';
import { generationMark } from './generation.ts';
import { POLICY_TABLE } from './names.ts';

const given = world({ pods: { 'n/a': {}, 'n/b': {} } });
const [a, b] = given.pods.map(({ name }) => hostIfName('n', name));
const [from, to] = given.pods.map(({ ips }) => ips[0]);
const own6 = given.pods[0]?.ips[1] ?? '';

describe('baseObjects() around pods that may do everything', () => {
  if (a === undefined || b === undefined || from === undefined || to === undefined) throw new Error('Cannot happen');
  const { show, renderer } = createPipeline();
  show(given);
  const common = { saddr: from, daddr: to, ctState: 'new', ctDirection: 'original', ctMark: 0, sport: 9 } as const;
  const rows: readonly {
    readonly name: string;
    readonly given: Pick<WalkPacket, 'protocol' | 'dport'>;
    readonly expected: 'accept' | 'drop';
  }[] = [
    { name: 'TCP', given: { protocol: 'tcp', dport: 80 }, expected: 'accept' },
    { name: 'GRE, which no node unwraps unasked', given: { protocol: 'gre' }, expected: 'accept' },
    { name: 'VXLAN', given: { protocol: 'udp', dport: 4789 }, expected: 'drop' },
    { name: 'IP in IP', given: { protocol: 'ipip' }, expected: 'drop' },
    { name: 'IPv6 in IP', given: { protocol: 41 }, expected: 'drop' },
  ];
  for (const { name, given: one, expected } of rows) {
    test(`${expected} ${name}, to pods and to the node`, () => {
      const packet = { ...common, ...one, iifname: a };
      assert.equal(
        walk({ table: POLICY_TABLE, objects: renderer.objects() }, 'forward', { ...packet, oifname: b }).verdict,
        expected,
      );
      assert.equal(walk({ table: POLICY_TABLE, objects: renderer.objects() }, 'input', packet).verdict, expected);
    });
  }

  test('close BFD of the node, not that of others', () => {
    for (const dport of [3784, 3785, 4784]) {
      const packet: WalkPacket = { ...common, iifname: a, protocol: 'udp', dport };
      const objects = renderer.objects();
      assert.equal(walk({ table: POLICY_TABLE, objects }, 'input', packet).verdict, 'drop');
      assert.equal(walk({ table: POLICY_TABLE, objects }, 'forward', { ...packet, oifname: b }).verdict, 'accept');
    }
  });

  test('close BGP and BFD of all nodes, at the addresses that they have now', () => {
    const [first, second, six] = ['198.51.100.12', '198.51.100.13', 'fd00:198:51::12'].map((text) =>
      unwrap(parseIp(text)),
    );
    if (first === undefined || second === undefined || six === undefined) throw new Error('Cannot happen');
    const closed = (protocol: 'tcp' | 'udp', dport: number, oifname = 'eth0'): readonly string[] =>
      [first, second, six].filter((daddr) => {
        const saddr = daddr === six ? unwrap(parseIp(own6)) : from;
        const packet = { ...common, saddr, daddr, protocol, dport, iifname: a, oifname } as const;
        return walk({ table: POLICY_TABLE, objects: renderer.objects() }, 'forward', packet).verdict === 'drop';
      });
    assert.deepEqual(closed('tcp', 179), []);
    renderer.setNode('node2', [first, six, first]);
    renderer.setNode('node3', [second]);
    for (const [protocol, port, expected] of [
      ['tcp', 179, [first, second, six]],
      ['udp', 3784, [first, second, six]],
      ['udp', 3785, [first, second, six]],
      ['udp', 4784, [first, second, six]],
      ['udp', 179, []],
      ['tcp', 3784, []],
      ['tcp', 10250, []],
    ] as const) {
      assert.deepEqual(closed(protocol, port), expected, `${protocol} ${port}`);
    }
    // For a moment two nodes may have the same address.
    renderer.setNode('node3', [first]);
    assert.deepEqual(closed('tcp', 179), [first, six]);
    renderer.setNode('node2', []);
    assert.deepEqual(closed('tcp', 179), [first]);
    renderer.setNode('node3', []);
    assert.deepEqual(closed('tcp', 179), []);
  });

  const loopback = { ...common, iifname: a, protocol: 'tcp', dport: 80, daddr: unwrap(parseIp('127.0.0.1')) } as const;
  test('drop what a pod sends to the loopback of its node, unless the node sent it on to there', () => {
    const objects = renderer.objects();
    assert.equal(walk({ table: POLICY_TABLE, objects }, 'input', loopback).verdict, 'drop');
    assert.equal(walk({ table: POLICY_TABLE, objects }, 'input', { ...loopback, ctStatus: 'dnat' }).verdict, 'accept');
  });

  test('close the port of BGP, and the one that the configuration names', () => {
    const closed = (): readonly number[] =>
      [178, 179, 1179, 2179].filter((dport) => {
        const packet = { ...common, iifname: a, protocol: 'tcp', dport } as const;
        return walk({ table: POLICY_TABLE, objects: renderer.objects() }, 'input', packet).verdict === 'drop';
      });
    assert.deepEqual(closed(), [179]);
    for (const [port, expected] of [
      [1179, [179, 1179]],
      [2179, [179, 2179]],
      [179, [179]],
      [1179, [179, 1179]],
      [undefined, [179]],
    ] as const) {
      renderer.closeBgpPort('default', port);
      assert.deepEqual(closed(), expected, String(port));
    }
    renderer.closeBgpPort('default', 1179);
    renderer.closeBgpPort('node.node2', 2179);
    renderer.closeBgpPort('node.node3', 1179);
    assert.deepEqual(closed(), [179, 1179, 2179]);
    renderer.closeBgpPort('default', undefined);
    assert.deepEqual(closed(), [179, 1179, 2179]);
    for (const name of ['node.node2', 'node.node3']) renderer.closeBgpPort(name, undefined);
    assert.deepEqual(closed(), [179]);
  });

  test('close the port of metrics where the agent keeps them from pods, and BGP where both have it', () => {
    const node = unwrap(parseIp('198.51.100.12'));
    for (const [metricsPort, expected, counter] of [
      [undefined, 'accept', undefined],
      [9179, 'drop', 'd_metrics'],
      [179, 'drop', 'd_bgp'],
    ] as const) {
      const pipeline = createPipeline({ metricsPort });
      pipeline.show(given);
      pipeline.renderer.setNode('node2', [node]);
      const objects = pipeline.renderer.objects();
      const packet: WalkPacket = { ...common, iifname: a, protocol: 'tcp', dport: metricsPort ?? 9179 };
      const own = walk({ table: POLICY_TABLE, objects }, 'input', packet);
      const other = walk({ table: POLICY_TABLE, objects }, 'forward', { ...packet, daddr: node, oifname: 'eth0' });
      const pod = walk({ table: POLICY_TABLE, objects }, 'forward', { ...packet, oifname: b });
      assert.deepEqual(
        [own, other, pod].map(({ verdict }) => verdict),
        [expected, expected, 'accept'],
      );
      for (const { path } of counter === undefined ? [] : [own, other]) {
        assert.deepEqual(path.at(-1)?.rule.statements[0], { kind: 'counter-ref', counter });
      }
    }
  });

  test('drop what is still addressed to a service when it leaves the node', () => {
    const dropped = (): readonly string[] =>
      ['10.96.0.9', '10.97.0.9', '203.0.113.200', '203.0.113.201', 'fd00:10:96::9'].filter((daddr) => {
        const saddr = daddr.includes(':') ? unwrap(parseIp(own6)) : from;
        const packet = { ...common, saddr, protocol: 'tcp', dport: 80, daddr: unwrap(parseIp(daddr)) } as const;
        const objects = renderer.objects();
        const transit = { ...packet, iifname: 'eth0', oifname: 'eth0' } as const;
        const sent = { ...packet, iifname: a, oifname: 'eth0' } as const;
        const verdicts = [transit, sent].map((one) => walk({ table: POLICY_TABLE, objects }, 'forward', one).verdict);
        assert.equal(verdicts[0], verdicts[1], daddr);
        return verdicts[0] === 'drop';
      });
    const close = (...ranges: readonly string[]): boolean =>
      renderer.closeServices(ranges.map((range) => unwrap(parseCidr(range))));
    assert.deepEqual(dropped(), []);
    close('10.96.0.0/16', '10.96.0.0/24', '203.0.113.200/32', 'fd00:10:96::/112');
    assert.deepEqual(dropped(), ['10.96.0.9', '203.0.113.200', 'fd00:10:96::9']);
    close('10.96.0.0/15');
    assert.deepEqual(dropped(), ['10.96.0.9', '10.97.0.9']);
    close();
    assert.deepEqual(dropped(), []);
  });

  const other = unwrap(parseIp('10.244.9.9'));
  const errors: readonly {
    readonly name: string;
    readonly given: Pick<WalkPacket, 'ctState' | 'ctDirection' | 'ctSaddr'>;
    readonly expected: 'accept' | 'drop';
  }[] = [
    {
      name: 'a flow of its own',
      given: { ctState: 'related', ctDirection: 'original', ctSaddr: { original: from, reply: other } },
      expected: 'accept',
    },
    {
      name: 'a flow that came to it',
      given: { ctState: 'related', ctDirection: 'reply', ctSaddr: { original: other, reply: from } },
      expected: 'accept',
    },
    {
      name: 'a flow of others',
      given: { ctState: 'related', ctDirection: 'original', ctSaddr: { original: other, reply: from } },
      expected: 'drop',
    },
    { name: 'no flow at all', given: { ctState: 'invalid', ctDirection: 'original' }, expected: 'drop' },
  ];
  for (const { name, given: about, expected } of errors) {
    test(`${expected} an ICMP error of a pod about ${name}, to pods and to the node`, () => {
      const packet = { ...common, ...about, protocol: 'icmp', icmpType: 3, iifname: a } as const;
      const objects = renderer.objects();
      assert.equal(walk({ table: POLICY_TABLE, objects }, 'forward', { ...packet, oifname: b }).verdict, expected);
      assert.equal(walk({ table: POLICY_TABLE, objects }, 'input', packet).verdict, expected);
    });
  }

  for (const [mark, expected] of [
    [0x0002_0000, 'accept'],
    [0xffff_0000, 'drop'],
  ] as const) {
    test(`${expected} replies of a flow marked ${mark.toString(16)}`, () => {
      const reply = { ...common, protocol: 'tcp', ctState: 'established', ctDirection: 'reply', ctMark: mark } as const;
      const packet = { ...reply, dport: 9, sport: 80, iifname: b, oifname: a };
      const objects = renderer.objects();
      assert.equal(walk({ table: POLICY_TABLE, objects }, 'forward', packet).verdict, expected);
    });
  }

  test('let an address of its own through, whatever it is, and no other', () => {
    const objects = renderer.objects();
    const passes = (iifname: string, saddr: string): boolean => {
      const packet = { ...common, protocol: 'udp', dport: 53, iifname, saddr: unwrap(parseIp(saddr)) } as const;
      return walk({ table: POLICY_TABLE, objects }, 'prerouting', packet).verdict === 'accept';
    };
    for (const [iifname, saddr, expected] of [
      [a, from, true],
      [a, to, false],
      ['mgy-unknown', from, false],
      ['eth0', to, true],
      [a, own6, true],
      [b, own6, false],
      [a, 'fe80::1', true],
      [a, 'fd00:10:244::77', false],
      ['eth0', 'fd00:10:244::77', true],
    ] as const) {
      assert.equal(passes(iifname, saddr), expected, `${saddr} of ${iifname}`);
    }
  });
});

describe('baseObjects() around pods that are cut off', () => {
  if (a === undefined || b === undefined || from === undefined || to === undefined) throw new Error('Cannot happen');
  const { show, renderer } = createPipeline();
  const closed = policy('n/none', { policyTypes: ['Ingress', 'Egress'] });
  show(world({ pods: { 'n/a': {}, 'n/b': {} }, policies: [closed] }));
  const CURRENT = generationMark(renderer.generation());
  const packet = {
    saddr: from,
    daddr: to,
    protocol: 'udp',
    sport: 9,
    dport: 53,
    ctDirection: 'original',
    ctSaddr: { original: from, reply: to },
  } as const;
  for (const [what, ctState, ctMark, expected] of [
    ['of a flow judged by these rules', 'established', CURRENT, 'accept'],
    ['of a flow judged by other rules', 'established', CURRENT + 0x1_0000, 'drop'],
    ['that begins a flow', 'new', 0, 'drop'],
    ['that begins a flow, with a mark from somebody else', 'new', CURRENT, 'drop'],
    ['that conntrack takes for invalid', 'invalid', CURRENT, 'drop'],
    ['that conntrack shall not see', 'untracked', CURRENT, 'drop'],
    ['about a flow', 'related', 0, 'accept'],
  ] as const) {
    for (const [way, hook, interfaces] of [
      ['to a pod', 'forward', { iifname: 'eth0', oifname: b }],
      ['out of a pod', 'forward', { iifname: a, oifname: 'eth0' }],
      ['to its node', 'input', { iifname: a }],
    ] as const) {
      test(`${expected} a packet ${what}, ${way}`, () => {
        const given = { ...packet, ...interfaces, ctState, ctMark };
        assert.equal(walk({ table: POLICY_TABLE, objects: renderer.objects() }, hook, given).verdict, expected);
      });
    }
  }
});
