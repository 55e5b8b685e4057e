// Tracked flows in a namespace of the test's own, made and listed by the conntrack program.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { parseIp } from '../ip.ts';
import { unwrap } from '../result.ts';
import { type Conntrack, openConntrack } from './conntrack.ts';
import { decodeFlow, type Flow } from './conntrack-codec.ts';
import { inNetns } from './netns.ts';

const ip = (text: string) => unwrap(parseIp(text));

async function setUp(t: TestContext): Promise<{ readonly netns: TestNetns; readonly conntrack: Conntrack }> {
  const netns = await testNetns(t);
  // Without a rule that asks for it, a namespace tracks nothing.
  await netns.exec('nft', 'add table inet t; add chain inet t c { type filter hook input priority 0; ct state new; }');
  const conntrack = inNetns(netns.path, openConntrack);
  t.after(conntrack.close);
  return { netns, conntrack };
}

const insert = (netns: TestNetns, words: string): Promise<string> =>
  netns.exec('conntrack', '-I', '-t', '600', ...words.split(' '));

async function all(conntrack: Conntrack, ...filter: Parameters<Conntrack['dump']>): Promise<readonly Flow[]> {
  const found: Flow[] = [];
  const dump = conntrack.dump(...filter);
  for (let flows = await dump(); flows !== undefined; flows = await dump()) found.push(...flows);
  return found.sort((a, b) => a.mark - b.mark);
}

test('dump() reads what the conntrack program wrote', async (t) => {
  const { netns, conntrack } = await setUp(t);
  assert.deepEqual(await all(conntrack), []);
  await insert(
    netns,
    '-p udp -s 10.244.1.1 -d 10.96.0.10 --sport 5000 --dport 53 -m 0x10001 -r 10.244.2.2 -q 10.244.1.1 --reply-port-src 5353 --reply-port-dst 5000',
  );
  await insert(
    netns,
    '-p tcp -s fd00:10:244::1 -d fd00:10:244::2 --sport 40000 --dport 80 --state ESTABLISHED -m 0x20002',
  );
  await insert(netns, '-p icmp -s 10.244.1.1 -d 10.244.1.2 --icmp-type 8 --icmp-code 0 --icmp-id 77 -m 0x30003 -w 5');
  const flows = await all(conntrack);
  assert.deepEqual(
    flows.map(({ id, status, ...flow }) => flow),
    [
      {
        protocol: 17,
        original: { src: ip('10.244.1.1'), dst: ip('10.96.0.10'), ports: { src: 5000, dst: 53 } },
        reply: { src: ip('10.244.2.2'), dst: ip('10.244.1.1'), ports: { src: 5353, dst: 5000 } },
        mark: 0x10001,
      },
      {
        protocol: 6,
        original: { src: ip('fd00:10:244::1'), dst: ip('fd00:10:244::2'), ports: { src: 40000, dst: 80 } },
        reply: { src: ip('fd00:10:244::2'), dst: ip('fd00:10:244::1'), ports: { src: 80, dst: 40000 } },
        mark: 0x20002,
      },
      {
        protocol: 1,
        original: { src: ip('10.244.1.1'), dst: ip('10.244.1.2'), icmp: { type: 8, code: 0, id: 77 } },
        reply: { src: ip('10.244.1.2'), dst: ip('10.244.1.1'), icmp: { type: 0, code: 0, id: 77 } },
        mark: 0x30003,
        zone: 5,
      },
    ],
  );
  assert.deepEqual(await all(conntrack, { value: 0x20000, mask: 0xffff0000 }), [flows[1]], 'of one mark');
});

test('delete() takes the flows that it is told, and no other', async (t) => {
  const { netns, conntrack } = await setUp(t);
  for (const port of [1, 2, 3])
    await insert(netns, `-p udp -s 10.244.1.1 -d 10.244.1.2 --sport 9 --dport ${port} -m ${port}`);
  await insert(
    netns,
    '-p icmpv6 -s fd00:10:244::1 -d fd00:10:244::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 1 -m 4 -w 9',
  );
  const [first, second, third, fourth] = await all(conntrack);
  assert.ok(first && second && third && fourth);
  assert.equal(conntrack.delete([first, fourth]), 2);
  assert.deepEqual(await all(conntrack), [second, third]);
  assert.equal(conntrack.delete([first, third]), 1, 'one is gone already');
  assert.equal(conntrack.delete([{ ...second, id: second.id ^ 1 }]), 0, 'another flow of the same tuple');
  assert.deepEqual(await all(conntrack), [second]);
  assert.equal(conntrack.delete([]), 0);
});

test('setMark() keeps the other bits', async (t) => {
  const { netns, conntrack } = await setUp(t);
  await insert(netns, '-p udp -s 10.244.1.1 -d 10.244.1.2 --sport 9 --dport 53 -m 0xabcd1234');
  const [flow] = await all(conntrack);
  assert.ok(flow);
  assert.equal(conntrack.setMark([flow], { value: 0x70000, mask: 0xffff0000 }), 1);
  assert.deepEqual(
    (await all(conntrack)).map(({ mark }) => mark),
    [0x71234],
  );
  conntrack.delete([flow]);
  assert.equal(conntrack.setMark([flow], { value: 0, mask: 0xffff0000 }), 0, 'it is gone');
  assert.deepEqual(await all(conntrack), [], 'and is not made');
});

test('decodeFlow() takes any bytes', () => {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed >>> 16;
  };
  for (let round = 0; round < 5000; round++) {
    const bytes = Uint8Array.from({ length: random() % 120 }, () => random() & (random() % 3 === 0 ? 0xff : 0x0f));
    const flow = decodeFlow(bytes);
    assert.ok(flow === undefined || flow.protocol >= 0);
  }
});
