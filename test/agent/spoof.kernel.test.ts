// What a pod may pretend to be: raw frames from inside a real pod with addresses that are not its own. Who got past
// anti-spoofing is asked of the kernel, by a table of the test's own behind ours.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { HOST_MAC } from '../../cni/pod-side.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { type Ear, listenIn, volley } from '../support/frames/attacker.ts';
import * as raw from '../support/frames/raw-frame.ts';
import { globalAddress } from '../support/global-address.ts';
import { margay } from '../support/margay-cli.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const HOST = Buffer.from(HOST_MAC.replaceAll(':', ''), 'hex');
const EVERYONE = Buffer.alloc(6, 0xff);
const NOBODY = Buffer.alloc(6);
const ports = { sport: 4000, dport: 9 };
const PUNCH = Buffer.from('a lie');

type World = {
  readonly node: AgentNode;
  readonly mallory: TestPod;
  readonly victim: TestPod;
  readonly six: { readonly mallory: string; readonly victim: string };
  readonly mouth: Ear;
  readonly ear: Ear;
};

test('a pod that lies', async (t) => {
  const world = await makeWorld(t);

  const victimMac = (): Buffer => world.ear.socket.mac;

  const shoot = (frames: readonly Buffer[], mouth = world.mouth): Promise<readonly (readonly Buffer[])[]> => {
    const { mallory, victim, ear } = world;
    const own = { saddr: ip(mallory.ip), daddr: ip(victim.ip) };
    const mark = raw.ipv4(own, raw.PROTOCOL.udp, raw.udp(own, ports, randomBytes(16)));
    return volley(mouth.socket, frames, {
      mark: raw.packetFrame({ to: HOST, from: mouth.socket.mac }, mark),
      ears: [ear],
    });
  };

  const fourFrames = (saddr: Ip, daddr: Ip): readonly Buffer[] => {
    const both = { saddr, daddr };
    const whole = raw.udp(both, ports, PUNCH);
    const long = raw.udp(both, ports, Buffer.concat([Buffer.alloc(32), PUNCH]));
    const id = randomBytes(2).readUInt16BE();
    const { mac } = world.mouth.socket;
    return [
      raw.ipv4(both, raw.PROTOCOL.udp, whole),
      raw.ipv4(both, raw.PROTOCOL.tcp, raw.tcp(both, ports, raw.TCP_FLAGS.syn, PUNCH)),
      raw.ipv4(both, raw.PROTOCOL.icmp, raw.icmp(both, 8, 0, Buffer.concat([Buffer.alloc(4), PUNCH]))),
      raw.ipv4(both, 253, PUNCH),
      // Record route, and router alert (RFC 2113).
      raw.ipv4(both, raw.PROTOCOL.udp, whole, { options: Buffer.from([7, 7, 4, 0, 0, 0, 0]) }),
      raw.ipv4(both, raw.PROTOCOL.udp, whole, { options: Buffer.from([148, 4, 0, 0]) }),
      raw.ipv4(both, raw.PROTOCOL.udp, long.subarray(0, 24), { fragment: { id, offset: 0, last: false } }),
      raw.ipv4(both, raw.PROTOCOL.udp, long.subarray(24), { fragment: { id, offset: 24, last: true } }),
    ].map((packet) => raw.packetFrame({ to: HOST, from: mac }, packet));
  };

  const sixFrames = (saddr: Ip, daddr: Ip): readonly Buffer[] => {
    const both = { saddr, daddr };
    const { mac } = world.mouth.socket;
    const whole = raw.udp(both, ports, PUNCH);
    const body = Buffer.alloc(6);
    return [
      raw.ipv6(both, raw.PROTOCOL.udp, whole),
      raw.ipv6(both, raw.PROTOCOL.tcp, raw.tcp(both, ports, raw.TCP_FLAGS.syn, PUNCH)),
      raw.ipv6(both, raw.PROTOCOL.icmpv6, raw.icmp(both, 128, 0, Buffer.concat([Buffer.alloc(4), PUNCH]))),
      raw.ipv6(both, raw.PROTOCOL.udp, whole, { extensions: [{ kind: raw.EXTENSION.destination, body }] }),
      raw.ipv6(both, raw.PROTOCOL.udp, whole, { extensions: [raw.fragment6({ id: 7, offset: 0, last: true })] }),
    ].map((packet) => raw.packetFrame({ to: HOST, from: mac }, packet));
  };

  /** Solicitation, advertisement, router advertisement and redirect (RFC 4861 4) that claim the address. */
  const discovery = (both: raw.Addresses, claim: Ip, mac: Buffer): readonly Buffer[] => {
    const target = raw.ipv6({ saddr: claim, daddr: claim }, 59, Buffer.alloc(0)).subarray(8, 24);
    const [source, owner] = [1, 2].map((kind) => Buffer.concat([Buffer.from([kind, 1]), mac]));
    const prefix = Buffer.concat([Buffer.from([3, 4, 64, 0xc0]), Buffer.alloc(4, 0x11), Buffer.alloc(8, 0x11)]);
    const router = Buffer.concat([Buffer.from([64, 0, 7, 8]), Buffer.alloc(8), prefix, target, source ?? NOBODY]);
    return [
      raw.icmp(both, 135, 0, Buffer.concat([Buffer.alloc(4), target, source ?? NOBODY])),
      raw.icmp(both, 136, 0, Buffer.concat([Buffer.from([0xe0, 0, 0, 0]), target, owner ?? NOBODY])),
      raw.icmp(both, 136, 0, Buffer.concat([Buffer.from([0x20, 0, 0, 0]), target, owner ?? NOBODY])),
      raw.icmp(both, 133, 0, Buffer.concat([Buffer.alloc(4), source ?? NOBODY])),
      raw.icmp(both, 134, 0, router),
      raw.icmp(both, 137, 0, Buffer.concat([Buffer.alloc(4), target, target, owner ?? NOBODY])),
    ].map((body) =>
      raw.packetFrame({ to: HOST, from: mac }, raw.ipv6(both, raw.PROTOCOL.icmpv6, body, { hopLimit: 255 })),
    );
  };

  /** Sources that came past anti-spoofing. */
  const entered = async (family: 4 | 6): Promise<readonly string[]> => {
    const text = await world.node.netns.exec('nft', '-j', 'list', 'set', 'inet', 'watch', `entered${family}`);
    const { nftables } = JSON.parse(text) as { nftables: readonly { set?: { elem?: readonly string[] } }[] };
    // The kernel may tell one twice while it makes the table of a set larger.
    return [...new Set(nftables.flatMap(({ set }) => set?.elem ?? []))].sort();
  };

  const counted = async (counter: string): Promise<number> => {
    const text = await world.node.netns.exec('nft', 'list', 'counter', 'inet', 'margay', counter);
    return Number(/packets (\d+)/.exec(text)?.[1]);
  };

  const addVeth = async (name: string, peer: TestNetns): Promise<void> => {
    const link = ['link', 'add', name, 'address', HOST_MAC, 'type', 'veth'];
    await world.node.netns.exec('ip', ...link, 'peer', 'name', 'eth0', 'netns', peer.name);
    await world.node.netns.exec('ip', 'link', 'set', name, 'up');
    await peer.exec('ip', 'link', 'set', 'eth0', 'up');
  };

  type Neighbour = { readonly dst: string; readonly dev: string; readonly lladdr?: string };
  const neighbours = async (): Promise<readonly Neighbour[]> =>
    JSON.parse(await world.node.netns.exec('ip', '-j', 'neigh')) as readonly Neighbour[];

  /**
   * Entries of other addresses than the pod's on its link, or with its hardware address on another, or with another one
   * than `before`.
   */
  const foreign = async (before: readonly Neighbour[]): Promise<readonly Neighbour[]> => {
    const { mallory, six, mouth } = world;
    const hex = mouth.socket.mac.toString('hex').replace(/..(?!$)/g, '$&:');
    return (await neighbours()).filter(({ dst, dev, lladdr }) => {
      if (dev === mallory.hostIfName) return dst !== mallory.ip && dst !== six.mallory && !dst.startsWith('fe80:');
      const known = before.find((each) => each.dst === dst && each.dev === dev);
      return lladdr === hex || (known?.lladdr !== undefined && lladdr !== undefined && known.lladdr !== lladdr);
    });
  };

  await t.test('gets no IPv4 packet past anti-spoofing but its own', async () => {
    const { mallory, victim } = world;
    const lies = [victim.ip, '10.244.77.7', '198.51.100.11', '198.51.100.200', '198.51.100.255', '203.0.113.9'];
    lies.push('169.254.1.1', '127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', '10.96.0.1', '240.0.0.1');
    const targets = [victim.ip, '198.51.100.11', '203.0.113.1', '10.244.99.9'];
    const frames = lies.flatMap((liar) => targets.flatMap((target) => fourFrames(ip(liar), ip(target))));
    // A request for an address, as DHCP makes it (RFC 2131 4.1).
    const nobody = { saddr: ip('0.0.0.0'), daddr: ip('255.255.255.255') };
    const request = raw.ipv4(nobody, raw.PROTOCOL.udp, raw.udp(nobody, { sport: 68, dport: 67 }, PUNCH));
    frames.push(raw.packetFrame({ to: EVERYONE, from: world.mouth.socket.mac }, request));
    const before = await counted('d_spoofed');
    const [heard = []] = await shoot(frames);
    assert.deepEqual(heard.filter((frame) => frame.includes(PUNCH)).length, 0, 'the other pod has heard none');
    assert.deepEqual(await entered(4), [mallory.ip]);
    // Of each eight, two were the pieces of one.
    const each = lies.length * targets.length * 7 + 1;
    assert.equal((await counted('d_spoofed')) - before, each, 'each was seen, and counted');
    const { stdout } = margay(['metrics', '--agent', world.node.controlSocket]);
    const told = /^margay_dropped_packets_total\{reason="spoofed"\} (\d+)$/m.exec(stdout);
    assert.equal(Number(told?.[1]), await counted('d_spoofed'));
  });

  await t.test('gets no IPv6 packet past anti-spoofing but its own, and what its link needs', async () => {
    const { six } = world;
    const lies = [six.victim, 'fd00:10:244:77::7', 'fd00:198:51::11', '2001:db8::9', '::1', '::', 'ff02::1', 'fec0::1'];
    lies.push('64:ff9b::a00:1');
    const targets = [six.victim, 'fd00:198:51::11', 'fe80::ecee:eeff:feee:eeee', 'ff02::1', '2001:db8::1'];
    const frames = lies.flatMap((liar) => targets.flatMap((target) => sixFrames(ip(liar), ip(target))));
    // An IPv4-mapped source (RFC 4291 2.5.5.2), which stands for an IPv4 address inside of programs.
    const mapped = Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff, 10, 244, 0, 1])]);
    for (const frame of sixFrames(ip('2001:db8::9'), ip(six.victim))) {
      frames.push(Buffer.concat([frame.subarray(0, 22), mapped, frame.subarray(38)]));
    }
    // A link-local address of another: for its own link it may be, but nowhere further.
    frames.push(...targets.flatMap((target) => sixFrames(ip('fe80::bad'), ip(target))));
    const before = await counted('d_spoofed');
    const [heard = []] = await shoot(frames);
    assert.deepEqual(heard.filter((frame) => frame.includes(PUNCH)).length, 0, 'the other pod has heard none');
    // What comes from loopback or from a group, the kernel refuses by itself.
    const seen = (lies.filter((lie) => !['::1', 'ff02::1'].includes(lie)).length * targets.length + 1) * 5;
    assert.equal((await counted('d_spoofed')) - before, seen, 'each was seen, and counted');
    const strangers = (await entered(6)).filter((each) => !each.startsWith('fe80:') && each !== '::');
    assert.deepEqual(strangers, [six.mallory]);
  });

  await t.test('is believed no address by ARP', async () => {
    const { mallory, victim, node, mouth } = world;
    const { mac } = mouth.socket;
    const before = await neighbours();
    const claims = [victim.ip, '10.244.77.7', '198.51.100.11', '198.51.100.200', '169.254.1.1', '0.0.0.0'];
    const frames = claims.flatMap((claim) => {
      const liar = { mac, ip: ip(claim) };
      return [
        // Asking, announcing (RFC 5227 3), answering unasked, and probing.
        raw.arp(1, liar, { mac: NOBODY, ip: ip('198.51.100.11') }),
        raw.arp(1, liar, { mac: NOBODY, ip: ip('169.254.1.1') }),
        raw.arp(1, liar, { mac: NOBODY, ip: ip(victim.ip) }),
        raw.arp(1, liar, { mac: NOBODY, ip: liar.ip }),
        raw.arp(2, liar, { mac: EVERYONE, ip: liar.ip }),
        raw.arp(2, liar, { mac: HOST, ip: ip('198.51.100.11') }),
        raw.arp(2, liar, { mac: HOST, ip: ip('169.254.1.1') }),
        raw.arp(1, { mac, ip: ip('0.0.0.0') }, { mac: NOBODY, ip: liar.ip }),
      ].flatMap((body) => [HOST, EVERYONE].map((to) => raw.ethernet({ to, from: mac }, raw.ETHERTYPE.arp, body)));
    });
    const [heard = []] = await shoot(frames);
    assert.equal(
      heard.filter((frame) => frame.readUInt16BE(12) === raw.ETHERTYPE.arp && frame.includes(mac)).length,
      0,
    );
    assert.deepEqual(await foreign(before), []);
    // The one that was lied about is still who it was.
    await node.netns.exec('ping', '-c1', '-W10', victim.ip);
    await mallory.netns.exec('ping', '-c1', '-W10', victim.ip);
  });

  await t.test('is believed no address, no route and no prefix by neighbour discovery', async () => {
    const { node, six, mouth } = world;
    const { mac } = mouth.socket;
    const before = await neighbours();
    const routes = await node.netns.exec('ip', '-6', 'route');
    // The node's own links end their detection of duplicates by themselves, some time after they came up.
    const addresses = await waitFor('no address to be tentative', async () => {
      const found = await node.netns.exec('ip', '-6', '-o', 'addr');
      return found.includes('tentative') ? undefined : found;
    });
    const own = [ip(six.mallory), ip('fe80::bad')];
    const gateway = ip('fe80::ecee:eeff:feee:eeee');
    const frames = own.flatMap((saddr) =>
      [six.victim, 'fd00:198:51::11', '2001:db8::9', 'fe80::ecee:eeff:feee:eeee'].flatMap((claim) =>
        [gateway, ip('ff02::1'), ip('fd00:198:51::11')].flatMap((daddr) => discovery({ saddr, daddr }, ip(claim), mac)),
      ),
    );
    const played = await counted('d_router');
    const [heard = []] = await shoot(frames);
    assert.equal(heard.filter((frame) => frame.includes(mac) && frame.readUInt16BE(12) === 0x86dd).length, 0);
    // Router advertisement and redirect are two of the six.
    assert.equal((await counted('d_router')) - played, frames.length / 3, 'each was dropped, and counted');
    assert.deepEqual(await foreign(before), []);
    assert.equal(await node.netns.exec('ip', '-6', 'route'), routes);
    assert.equal(lifetimes(await node.netns.exec('ip', '-6', '-o', 'addr')), lifetimes(addresses));
    await node.netns.exec('ping', '-c1', '-W10', six.victim);
    await world.mallory.netns.exec('ping', '-c1', '-W10', six.victim);
  });

  await t.test('has no tunnel to its node, which might unpack it', async () => {
    const { mallory, victim, six, mouth } = world;
    const lie = { saddr: ip('203.0.113.9'), daddr: ip(victim.ip) };
    const inner = raw.ipv4(lie, raw.PROTOCOL.udp, raw.udp(lie, ports, PUNCH));
    const lie6 = { saddr: ip('2001:db8::9'), daddr: ip(six.victim) };
    const inner6 = raw.ipv6(lie6, raw.PROTOCOL.udp, raw.udp(lie6, ports, PUNCH));
    // Flags and network identifier (RFC 7348 5), and the frame inside.
    const header = Buffer.from([8, 0, 0, 0, 0, 0, 7, 0]);
    const vxlan = Buffer.concat([header, raw.packetFrame({ to: victimMac(), from: HOST }, inner)]);
    const frames = [
      { saddr: ip(mallory.ip), daddr: ip('198.51.100.11') },
      { saddr: ip(six.mallory), daddr: ip('fd00:198:51::11') },
    ].flatMap((both) =>
      [
        raw.packet(both, raw.PROTOCOL.udp, raw.udp(both, { sport: 4000, dport: 4789 }, vxlan)),
        raw.packet(both, raw.PROTOCOL.ipip, inner),
        raw.packet(both, raw.PROTOCOL.ipv6, inner6),
      ].map((packet) => raw.packetFrame({ to: HOST, from: mouth.socket.mac }, packet)),
    );
    const before = await counted('d_tunnel');
    const [heard = []] = await shoot(frames);
    assert.equal(heard.filter((frame) => frame.includes(PUNCH)).length, 0);
    assert.equal((await counted('d_tunnel')) - before, frames.length, 'each was dropped, and counted');
  });

  await t.test('gains nothing by VLAN tags, foreign hardware addresses and odd Ethernet types', async () => {
    const { mallory, victim, mouth } = world;
    const lie = fourFrames(ip(victim.ip), ip(victim.ip))[0] ?? assert.fail();
    const truth = fourFrames(ip(mallory.ip), ip(victim.ip))[0] ?? assert.fail();
    const tags = [0, 1, 100, 4095];
    const tagged = [lie, truth].flatMap((frame) =>
      tags.flatMap((id) => [
        ...(id === 0 && frame === truth ? [] : [raw.tagged(frame, id)]),
        raw.tagged(raw.tagged(frame, id), 5, raw.ETHERTYPE.serviceVlan),
        raw.tagged(raw.tagged(frame, id), 5),
      ]),
    );
    const elsewhere = [lie, truth].flatMap((frame) =>
      [victimMac(), Buffer.from('0180c2000000', 'hex'), Buffer.from('020000000077', 'hex')].map((to) =>
        Buffer.concat([to, frame.subarray(6)]),
      ),
    );
    // Length fields of IEEE 802.3, MPLS, PPPoE and LLDP.
    const types = [0x0005, 0x0600, 0x8847, 0x8864, 0x88cc, 0x8035].map((type) =>
      raw.ethernet({ to: HOST, from: mouth.socket.mac }, type, truth.subarray(14)),
    );
    const [heard = []] = await shoot([...tagged, ...elsewhere, ...types]);
    assert.equal(heard.filter((frame) => frame.includes(PUNCH)).length, 0);
    assert.deepEqual(await entered(4), [mallory.ip]);
  });

  await t.test('may have a second hardware address, which nobody takes note of', async () => {
    const { mallory, victim } = world;
    const before = await neighbours();
    const frames = fourFrames(ip(mallory.ip), ip(victim.ip)).map((frame) =>
      Buffer.concat([frame.subarray(0, 6), Buffer.from('02000000beef', 'hex'), frame.subarray(12)]),
    );
    await shoot(frames);
    assert.deepEqual(await foreign(before), []);
    assert.doesNotMatch(await world.node.netns.exec('ip', 'neigh'), /02:00:00:00:be:ef/);
  });

  await t.test(
    'gains nothing while nobody watches, nor by an interface that is made anew under its name',
    async (t) => {
      const { node, mallory, victim } = world;
      await node.kill();
      const lies = [victim.ip, '203.0.113.9', '0.0.0.0'].flatMap((liar) => fourFrames(ip(liar), ip(victim.ip)));
      const [heard = []] = await shoot(lies);
      assert.equal(heard.filter((frame) => frame.includes(PUNCH)).length, 0, 'without an agent');
      await node.netns.exec('ip', 'link', 'del', mallory.hostIfName);
      await addVeth(mallory.hostIfName, mallory.netns);
      const again = listenIn(t, mallory.netns.path);
      const [late = []] = await shoot(lies, again);
      assert.equal(late.filter((frame) => frame.includes(PUNCH)).length, 0, 'from a new interface');
      assert.deepEqual(await entered(4), [mallory.ip]);
    },
  );

  await t.test('is unknown by an interface that the agent never heard of, and closed', async (t) => {
    const { victim } = world;
    const stranger = await testNetns(t, 'stranger');
    await addVeth('mgy0123456789a', stranger);
    const mouth = listenIn(t, stranger.path);
    const dropped = async (): Promise<number> => (await counted('d_spoofed')) + (await counted('d_unknown'));
    const before = await dropped();
    const lies = [victim.ip, '10.244.77.7', '203.0.113.9', 'fe80::1'].map((source) => {
      const both = { saddr: ip(source), daddr: ip(source.includes(':') ? 'fe80::ecee:eeff:feee:eeee' : victim.ip) };
      const ends = { to: HOST, from: mouth.socket.mac };
      return raw.packetFrame(ends, raw.packet(both, raw.PROTOCOL.udp, raw.udp(both, ports, PUNCH)));
    });
    for (const lie of lies) mouth.socket.send(lie);
    await waitFor('all of them to be counted', async () => (await dropped()) >= before + lies.length);
    assert.equal(world.ear.heard().filter((frame) => frame.includes(PUNCH)).length, 0);
  });

  await t.test('is no concern of interfaces that are not ours', async (t) => {
    const { node } = world;
    const neighbour = await testNetns(t, 'other');
    await addVeth('cali0123456789a', neighbour);
    await neighbour.exec('ip', 'addr', 'add', '192.0.2.2/24', 'dev', 'eth0');
    await node.netns.exec('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'cali0123456789a');
    const settings = (): Promise<string> =>
      node.netns.exec('sysctl', '-a', '-r', 'net\\.ipv4\\.(conf|neigh)\\.cali0123456789a');
    const before = await settings();
    await node.start();
    await neighbour.exec('ping', '-c1', '-W10', '192.0.2.1');
    assert.equal(await settings(), before);
    assert.match(await node.netns.exec('ip', 'link', 'show', 'cali0123456789a'), /[<,]UP,LOWER_UP>/);
  });
});

const lifetimes = (text: string): string => text.replace(/\d+sec/g, 'N');

async function makeWorld(t: TestContext): Promise<World> {
  const node = await agentNode(t);
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'pods-v6' },
    spec: { cidr: 'fd00:10:244::/48', blockSize: 120 },
  });
  await node.start();
  await node.netns.exec('ip', 'addr', 'add', 'fd00:198:51::11/64', 'dev', 'uplink', 'nodad');
  const mallory = await node.addPod('shop', 'mallory');
  const victim = await node.addPod('shop', 'victim');
  await node.netns.exec('nft', watch(mallory.hostIfName));
  const six = { mallory: await globalAddress(mallory), victim: await globalAddress(victim) };
  // Somebody has to know the other before it can be seen whether a lie changes that.
  for (const target of [victim.ip, six.victim, mallory.ip, six.mallory]) {
    await node.netns.exec('ping', '-c1', '-W10', target);
  }
  return {
    node,
    mallory,
    victim,
    six,
    mouth: listenIn(t, mallory.netns.path),
    ear: listenIn(t, victim.netns.path),
  };
}

/** Sources of what comes from an interface past the chain at -300. */
const watch = (ifName: string): string => `table inet watch {
  set entered4 { type ipv4_addr; flags dynamic; }
  set entered6 { type ipv6_addr; flags dynamic; }
  chain entered {
    type filter hook prerouting priority -250;
    iifname != "${ifName}" accept
    add @entered4 { ip saddr }
    add @entered6 { ip6 saddr }
  }
}`;
