// What a pod may not reach: the BGP speakers of nodes, the sockets and the loopback of its own; and another pod that policy
// closes to it, by raw frames of every odd kind. Each kind is sent to an open pod as well, where it must arrive.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gobgpdCommand } from '../../bgp/gobgpd.ts';
import { HOST_MAC } from '../../cni/pod-side.ts';
import { type Ip, ipFamily, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { type Ear, listenIn, volley } from '../support/frames/attacker.ts';
import { ODD_PACKETS, ports } from '../support/frames/odd-packets.ts';
import { quiet } from '../support/frames/quiet.ts';
import * as raw from '../support/frames/raw-frame.ts';
import { globalAddress } from '../support/global-address.ts';
import { margay } from '../support/margay-cli.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';
import { NAMESPACE, policy } from './world.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const HOST = Buffer.from(HOST_MAC.replaceAll(':', ''), 'hex');
/** Addresses of another node. */
const OTHER = { 4: ip('198.51.100.12'), 6: ip('fd00:198:51::12') } as const;
const NODE = { 4: ip('198.51.100.11'), 6: ip('fd00:198:51::11') } as const;

const WAIT = { timeoutMs: 60_000 };

type Party = { readonly pod: TestPod; readonly ips: Readonly<Record<4 | 6, Ip>>; readonly end: Ear };
type World = { readonly node: AgentNode; readonly mallory: Party; readonly open: Party; readonly closed: Party };

test('a pod that wants in', async (t) => {
  const world = await makeWorld(t);
  const { node, mallory, open, closed } = world;

  const frameOf = ({ end }: Party, packet: Buffer): Buffer =>
    raw.packetFrame({ to: HOST, from: end.socket.mac }, packet);
  /** What passes. */
  const mark = (from: Party = mallory, to: Party = open): Buffer => {
    const both = { saddr: from.ips[4], daddr: to.ips[4] };
    return frameOf(from, raw.ipv4(both, raw.PROTOCOL.udp, raw.udp(both, ports(9), randomBytes(16))));
  };
  /** Sends packets of mallory's, and tells which of the pods heard `payload`. */
  const heardBy = async (payload: Buffer, packets: readonly Buffer[]): Promise<readonly string[]> => {
    const frames = packets.map((packet) => frameOf(mallory, packet));
    const heard = await volley(mallory.end.socket, frames, { mark: mark(), ears: [open.end, closed.end] });
    return ['open', 'closed'].filter((_, index) => heard[index]?.some((frame) => frame.includes(payload)));
  };

  /** Addresses and ports of the node's that first packets of mallory's came to, behind all our chains. */
  const reached = async (targets: readonly Ip[], dports: readonly number[]): Promise<readonly string[]> => {
    await node.netns.exec('nft', 'flush set inet watch local4; flush set inet watch local6');
    const frames = targets.flatMap((daddr) =>
      dports.map((dport) => {
        const saddr = mallory.ips[ipFamily(daddr)];
        const packet = raw.packet(
          { saddr, daddr },
          raw.PROTOCOL.tcp,
          raw.tcp({ saddr, daddr }, ports(dport), raw.TCP_FLAGS.syn),
        );
        return frameOf(mallory, packet);
      }),
    );
    await volley(mallory.end.socket, frames, { mark: mark(), ears: [open.end] });
    const text = await node.netns.exec('nft', '-j', 'list', 'table', 'inet', 'watch');
    const { nftables } = JSON.parse(text) as {
      nftables: readonly { set?: { elem?: readonly { concat: readonly (string | number)[] }[] } }[];
    };
    // The kernel may tell one twice while it makes the table of a set larger.
    return [...new Set(nftables.flatMap(({ set }) => set?.elem?.map(({ concat }) => concat.join(' ')) ?? []))];
  };

  await t.test('reaches no BGP speaker, under any address of its node, and nothing else that is ours', async () => {
    const listening = await node.netns.exec('ss', '-lntuH');
    assert.deepEqual(
      listening
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[4]),
      ['198.51.100.11:179'],
    );
    const abstract = (await node.netns.exec('cat', '/proc/net/unix')).split('\n').filter((line) => / @/.test(line));
    assert.deepEqual(abstract, []);
    const run = dirname(node.controlSocket);
    assert.equal(statSync(run).mode & 0o077, 0);
    for (const name of ['control.sock', 'cni.sock']) assert.equal(statSync(join(run, name)).mode & 0o777, 0o600, name);

    const targets = [NODE[4], '198.51.100.77', '127.0.0.1', NODE[6], 'fe80::ecee:eeff:feee:eeee'].map((text) =>
      ip(text),
    );
    assert.deepEqual(await reached(targets, [179]), []);
    assert.deepEqual((await reached(targets, [22, 10250])).length, 8, 'what else the node serves stays open');
    const { stdout } = margay([
      ...['policy', 'verdict', '--agent', node.controlSocket, '--from', 'shop/mallory', '--to', NODE[4]],
      ...['--port', '179', '--json'],
    ]);
    const { verdict, egress, disagreement } = JSON.parse(stdout) as Record<string, unknown> & { egress: object };
    assert.deepEqual({ verdict, disagreement }, { verdict: 'deny', disagreement: [] });
    assert.equal((egress as { reason?: string }).reason, 'bgp');
    // The node itself, and what runs in its network namespace, is not in the way of the rule.
    await node.netns.exec('bash', '-c', 'exec 3<>/dev/tcp/198.51.100.11/179');

    await node.create({
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: { listenPort: 1179 },
    });
    await waitFor('the other port to be closed', async () => (await reached(targets, [1179])).length === 0, WAIT);
  });

  await t.test('reaches no BGP speaker of another node, nor its BFD', async (t) => {
    const pod = await node.addPod('shop', 'talker');
    await globalAddress(pod);
    const other = await anotherNode(t, node);
    /** What of a first packet to each of these ports came to the other node. */
    const arrived = async (address: string): Promise<readonly string[]> => {
      await other.exec('nft', 'flush', 'set', 'inet', 'seen', 'dialled');
      const dials = ['tcp/179', 'tcp/1179', 'udp/3784', 'udp/3785', 'udp/4784', 'tcp/10250', 'udp/53'].map((text) => {
        const [protocol, port] = text.split('/');
        return `(echo > /dev/${protocol}/${address}/${port}) 2> /dev/null &`;
      });
      await pod.netns.exec('timeout', '0.5', 'bash', '-c', [...dials, 'wait'].join('\n')).catch(() => {});
      const seen = await other.exec('nft', 'list', 'set', 'inet', 'seen', 'dialled');
      return [...seen.matchAll(/(tcp|udp) \. (\d+)/g)].map(([, protocol, port]) => `${protocol}/${port}`).sort();
    };
    for (const address of Object.values(OTHER)) {
      await waitFor('the way to be open', async () => (await arrived(address)).length === 7, WAIT);
    }
    await node.create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node2' },
      status: { addresses: Object.values(OTHER).map((address) => ({ type: 'InternalIP', address })) },
    });
    for (const address of Object.values(OTHER)) {
      await waitFor(
        'it to be closed',
        async () => {
          return (await arrived(address)).join() === 'tcp/10250,udp/53';
        },
        WAIT,
      );
    }
    // The node itself is not in the way of the rule.
    for (const address of Object.values(OTHER)) {
      await node.netns.exec('bash', '-c', `exec 3<>/dev/tcp/${address}/179`);
    }
  });

  await t.test('reaches the loopback of its node only where the node itself leads there', async () => {
    const routed = `/proc/sys/net/ipv4/conf/${mallory.pod.hostIfName}/route_localnet`;
    assert.equal((await node.netns.exec('cat', routed)).trim(), '1', 'the kernel would let it');
    assert.deepEqual(await reached(['127.0.0.1', '127.0.0.53', '127.255.255.254'].map(ip), [80, 10248]), []);
    await node.netns.exec(
      'nft',
      `table inet local { chain nat { type nat hook prerouting priority -100;
        ip daddr 169.254.169.254 tcp dport 80 dnat ip to 127.0.0.1:8181; }; }`,
    );
    assert.deepEqual(await reached([ip('169.254.169.254')], [80]), ['127.0.0.1 8181']);
  });

  for (const { name, packets, arrives } of ODD_PACKETS) {
    await t.test(`gets through to an open pod, but not to a closed one: ${name}`, async () => {
      for (const family of [4, 6] as const) {
        for (const [party, label] of [
          [open, 'open'],
          [closed, 'closed'],
        ] as const) {
          const payload = randomBytes(16);
          const both = { saddr: mallory.ips[family], daddr: party.ips[family] };
          const shots = packets(both, payload, NODE[family]);
          if (shots === undefined) continue;
          const expected = label === 'open' && (arrives ?? [4, 6]).includes(family) ? ['open'] : [];
          assert.deepEqual(await heardBy(payload, shots), expected, `IPv${family} to ${label}`);
        }
      }
    });
  }

  await t.test('speaks no ICMP errors about the connections of others', async () => {
    for (const family of [4, 6] as const) {
      // The closed pod asks the open one; policy lets it.
      const asked = { saddr: closed.ips[family], daddr: open.ips[family] };
      const question = raw.packet(asked, raw.PROTOCOL.udp, raw.udp(asked, ports(7000), randomBytes(16)));
      await volley(closed.end.socket, [frameOf(closed, question)], { mark: mark(closed, open), ears: [open.end] });
      // Beside the errors that there are, ICMPv6 types that conntrack takes for errors: all below 128 (RFC 4443 2.1).
      const types = family === 4 ? [3, 4, 5, 11, 12] : [0, 1, 2, 3, 4, 5, 100, 127];
      for (const type of types) {
        for (const [sender, ear, expected] of [
          [mallory, open, false],
          [open, mallory, true],
        ] as const) {
          const both = { saddr: sender.ips[family], daddr: closed.ips[family] };
          const secret = randomBytes(16);
          const quoted = Buffer.concat([Buffer.alloc(4), question.subarray(0, -16), secret]);
          const protocol = family === 4 ? raw.PROTOCOL.icmp : raw.PROTOCOL.icmpv6;
          const frame = frameOf(sender, raw.packet(both, protocol, raw.icmp(both, type, 0, quoted)));
          const shot = { mark: mark(sender, ear), ears: [ear.end, closed.end] } as const;
          const [, heard = []] = await volley(sender.end.socket, [frame], shot);
          const arrived = heard.some((each) => each.includes(secret));
          assert.equal(arrived, expected, `IPv${family} type ${type} from ${sender.pod.hostIfName}`);
        }
      }
    }
  });
});

async function makeWorld(t: TestContext): Promise<World> {
  const node = await agentNode(t);
  await node.create(NAMESPACE);
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'pods-v6' },
    spec: { cidr: 'fd00:10:244::/48', blockSize: 120 },
  });
  await node.create(policy('closed', { podSelector: { matchLabels: { app: 'closed' } }, policyTypes: ['Ingress'] }));
  await node.start();
  const folder = join(dirname(node.controlSocket), 'gobgp');
  mkdirSync(folder, { mode: 0o700 });
  const { command, args } = gobgpdCommand({ socketPath: join(folder, 'gobgp.sock') });
  node.netns.spawn(command, args, { stdio: 'ignore' });
  await node.netns.exec('ip', 'addr', 'add', `${NODE[6]}/64`, 'dev', 'uplink', 'nodad');
  await node.netns.exec('ip', 'addr', 'add', '198.51.100.77/24', 'dev', 'uplink');
  // As a careless administrator would have it.
  await node.netns.exec('sysctl', '-qw', 'net.ipv4.conf.all.accept_source_route=1');
  const party = async (name: string): Promise<Party> => {
    const pod = await node.addPod('shop', name, { app: name });
    const ips = { 4: ip(pod.ip), 6: ip(await globalAddress(pod)) };
    // The node shall know its hardware address: what waits for that may come behind the mark of a volley.
    for (const address of Object.values(ips)) await node.netns.exec('ping', '-c1', '-W10', address);
    await quiet(pod.netns);
    return { pod, ips, end: listenIn(t, pod.netns.path) };
  };
  const world = { node, mallory: await party('mallory'), open: await party('open'), closed: await party('closed') };
  await node.netns.exec('nft', watch(world.mallory.pod.hostIfName));
  await waitFor('gobgpd to listen', async () => (await node.netns.exec('ss', '-lntH')).includes(':179'), WAIT);
  return world;
}

/** A node on a link of its own, where something listens on port 179 and the table `seen` holds what came. */
async function anotherNode(t: TestContext, { netns: node }: AgentNode): Promise<TestNetns> {
  const other = await testNetns(t, 'node2');
  await node.exec('ip', 'link', 'add', 'link2', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', other.name);
  for (const [netns, link, here] of [
    [node, 'link2', 1],
    [other, 'eth0', 2],
  ] as const) {
    await netns.exec('ip', 'addr', 'add', `192.0.2.${here}/24`, 'dev', link);
    await netns.exec('ip', 'addr', 'add', `fd00:192:0:2::${here}/64`, 'dev', link, 'nodad');
    await netns.exec('ip', 'link', 'set', link, 'up');
  }
  for (const address of Object.values(OTHER)) await other.exec('ip', 'addr', 'add', address, 'dev', 'lo', 'nodad');
  await other.exec('ip', 'link', 'set', 'lo', 'up');
  await node.exec('ip', 'route', 'add', OTHER[4], 'via', '192.0.2.2');
  await node.exec('ip', 'route', 'add', OTHER[6], 'via', 'fd00:192:0:2::2');
  await other.exec('ip', 'route', 'add', 'default', 'via', '192.0.2.1');
  await other.exec('ip', 'route', 'add', 'default', 'via', 'fd00:192:0:2::1');
  await other.exec(
    'nft',
    `table inet seen {
      set dialled { type inet_proto . inet_service; flags dynamic; }
      chain input {
        type filter hook input priority 0;
        meta l4proto { tcp, udp } add @dialled { meta l4proto . th dport }
      }
    }`,
  );
  other.spawn(process.execPath, ['-e', "require('node:net').createServer().listen(179)"], { stdio: 'ignore' });
  await waitFor('somebody to listen', async () => (await other.exec('ss', '-lntH')).includes(':179'));
  return other;
}

/** What comes to the node itself past our chains. */
const watch = (ifName: string): string => `table inet watch {
  set local4 { type ipv4_addr . inet_service; flags dynamic; }
  set local6 { type ipv6_addr . inet_service; flags dynamic; }
  chain local {
    type filter hook input priority 100;
    iifname != "${ifName}" accept
    add @local4 { ip daddr . tcp dport }
    add @local6 { ip6 daddr . tcp dport }
  }
}`;
