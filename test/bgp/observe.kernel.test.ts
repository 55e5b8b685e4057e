// What `margay bgp` says about a node, its router and another node, and what they do when the node is drained: the agent
// and its gobgpd on one side, BIRD on the other, asserted on the router's kernel.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gobgpdCommand } from '../../bgp/gobgpd.ts';
import type { BgpPeerView } from '../../bgp/view.ts';
import { bgpAdvertisedSchema, bgpExplainSchema, bgpPeersSchema, bgpRoutesSchema } from '../../bgp/view.ts';
import type { Kind } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { startBirdWith } from '../support/bird.ts';
import { margay } from '../support/margay-cli.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

const NODE = '198.51.100.11';
const OTHER = '198.51.100.12';
const TOR = '198.51.100.254';
const SERVICES = '10.96.0.0/16';
const WAIT = { timeoutMs: 90_000 };

test('margay bgp tells what is the matter, and a drained node loses no packet', async (t) => {
  const node = await agentNode(t);
  const folder = dirname(node.controlSocket);
  const tor = await testNetns(t, 'tor');
  const other = await testNetns(t, 'other');
  await segment({ node, tor, other });
  startGobgpd(node);
  const agent = ['--agent', node.controlSocket];
  const datastore = ['--datastore', join(dirname(folder), 'datastore.db')];
  const ask = <T>(parse: (document: unknown) => T, ...words: readonly string[]): T => {
    const { stdout, stderr, status } = margay(['bgp', ...words, '--json', ...agent]);
    assert.equal(status, 0, stderr);
    const [document] = JSON.parse(stdout) as readonly unknown[];
    return parse(document);
  };
  const statusOf = async (name: string) => (await node.store.get('NodeStatus', undefined, name))?.status;
  const torPeer = (): BgpPeerView => {
    const found = ask(bgpPeersSchema.parse, 'peers').peers.find(({ name }) => name === 'tor');
    assert.ok(found);
    return found;
  };
  const hints = (pattern: RegExp): Promise<BgpPeerView> =>
    waitFor(String(pattern), async () => [torPeer()].find((peer) => pattern.test(peer.hints.join('\n'))), WAIT).catch(
      (): never => assert.fail(`no hint ${pattern}: ${JSON.stringify(torPeer())}\n${node.log().slice(-2000)}`),
    );

  await put(node, 'BGPConfiguration', 'default', { spec: { serviceClusterIPs: [{ cidr: SERVICES }] } });
  await put(node, 'Secret', 'bgp', { stringData: { tor: 'correct horse' } }, 'kube-system');
  await put(node, 'BGPPeer', 'tor', peer({ password: { secretKeyRef: { name: 'bgp', key: 'tor' } } }));
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const pod = await node.addPod('shop', 'web');
  const [block = ''] = (await node.store.list('IPBlock')).items.map(({ spec }) => spec.cidr);
  const bird = startBirdWith(tor, folder, 'tor', torConfiguration({ password: 'other horse' }));

  await t.test('a password that differs', async () => {
    const { state, since, hints: said } = await hints(/a password is set and there has been no session/);
    assert.notEqual(state, 'established');
    assert.match(since ?? '', /^20\d\d-.*Z$/);
    assert.doesNotMatch(said.join(), /horse/);
  });

  await t.test('an AS number that does not fit', async () => {
    await put(node, 'BGPPeer', 'tor', peer({ asNumber: 64601 }));
    await bird.configure(torConfiguration({}));
    await hints(/refused at the OPEN: expected AS 64601 there and AS 64512 for this node/);
  });

  await t.test('a router without policy', async () => {
    await put(node, 'BGPPeer', 'tor', peer({}));
    const { state, type, families } = await hints(/it sends nothing: a router that follows RFC 8212/);
    assert.deepEqual(
      { state, type, families: families.map(({ family, received }) => ({ family, received })) },
      { state: 'established', type: 'GlobalPeer', families: [{ family: 4, received: 0 }] },
    );
  });

  await t.test('paths that are refused, that lead nowhere and that come back', async () => {
    await bird.configure(
      torConfiguration({
        routes: `route 203.0.113.0/24 blackhole;
  route 10.244.200.0/24 blackhole;
  route 10.244.201.0/24 blackhole { bgp_next_hop = 192.0.2.1; };
  route 10.244.202.0/24 blackhole { bgp_path.prepend(64512); };`,
      }),
    );
    const states = (): readonly string[] =>
      ask(bgpRoutesSchema.parse, 'routes')
        .routes.map(({ type, prefix, state, from = '-' }) => `${type} ${prefix} ${from} ${state}`)
        .filter((line) => !line.includes(`${pod.ip}/32`))
        .sort();
    const expected = [
      'FIB 10.244.200.0/24 - learned',
      `FIB ${block} - own-block`,
      'RIB 10.244.200.0/24 tor installed',
      'RIB 10.244.201.0/24 tor unresolved',
      'RIB 203.0.113.0/24 tor rejected',
      `RIB ${block} - originated`,
      `RIB ${SERVICES} - originated`,
    ].sort();
    // Each path comes in a message of its own.
    await waitFor('all paths', () => states().join() === expected.join(), WAIT).catch(() =>
      assert.deepEqual(states(), expected),
    );
    await hints(/1 of its paths have AS 64512 in them/);
    const { families, hints: said } = await hints(/one path unused: no route leads to its next hop "192\.0\.2\.1"/);
    assert.match(said.join('\n'), /1 of its paths have AS 64512 in them/);
    assert.deepEqual([families[0]?.received, families[0]?.accepted], [4, 1]);
    const told = ask(bgpAdvertisedSchema.parse, 'advertised').paths;
    assert.deepEqual(
      told
        .map(({ to, prefix, sent, asPath }) => ({ to, prefix, sent, asPath }))
        .sort((a, b) => (a.prefix < b.prefix ? -1 : 1)),
      [block, SERVICES].sort().map((prefix) => ({ to: 'tor', prefix, sent: true, asPath: [64512] })),
    );
  });

  await t.test('explain tells the story of a learned prefix and of an own block', () => {
    const story = (text: string): string =>
      ask(bgpExplainSchema.parse, 'explain', text)
        .steps.flatMap(({ title, lines }) => lines.map((line) => `${title}: ${line}`))
        .join('\n');
    assert.match(
      story('203.0.113.7'),
      /Paths in the table: from tor \(198\.51\.100\.254\): .*refused: it is outside every IP pool \(to take it, name/,
    );
    assert.match(
      story('10.244.202.0/24'),
      /Heard from peers: tor .*gobgpd keeps it out all the same: own AS number in its path/,
    );
    const learned = story('10.244.200.0/24');
    assert.match(learned, /Best path: best: that of tor/);
    assert.match(learned, /Next hops: 198\.51\.100\.254: on a connected subnet dev eth0/);
    assert.match(learned, /Kernel: 10\.244\.200\.0\/24 via 198\.51\.100\.254 dev eth0, metric 1060, of Margay/);
    const own = story(pod.ip);
    assert.match(own, /This node: a block that this node owns/);
    assert.match(own, /Told to peers: tor .*: told, next hop .*by "what originates here"/);
    const told = margay(['bgp', 'explain', pod.ip, ...agent, ...datastore]).stdout;
    assert.ok(told.startsWith(`${block} on node1, block ${block} of node "node1"\n  This node\n`), told);
    const { stderr, status } = margay(['bgp', 'explain', 'x', ...agent]);
    assert.match(stderr, /Cannot explain "x": expected a prefix/);
    assert.equal(status, 1);
  });

  await t.test('tables for people', () => {
    assert.match(
      margay(['bgp', 'peers', '-o', 'wide', ...agent]).stdout,
      /^NODE +PEER +ADDRESS .*\nnode1 +tor +198\.51\.100\.254 +64600 +GlobalPeer +established +\d+s +4 +1 +2 +\d+ .*v4:4\/1\/2 +1000 /,
    );
    assert.match(margay(['bgp', 'routes', '--rib', ...agent]).stdout, /rejected +it is outside every IP pool/);
    assert.match(margay(['bgp', 'peers', '--node', 'nobody', ...agent]).stderr, /expected one of node1/);
  });

  await t.test('NodeStatus is written for the own node', async () => {
    const apiVersion = 'margay.dev/v1alpha1';
    const spec = { node: 'node1', classes: ['Agent', 'BGP', 'Routes'], updatePeriodSeconds: 3600 };
    await node.create({ apiVersion, kind: 'NodeStatus', metadata: { name: 'mine' }, spec });
    await node.create({ apiVersion, kind: 'NodeStatus', metadata: { name: 'other' }, spec: { ...spec, node: 'x' } });
    const said = await waitFor('the status', () => statusOf('mine'), WAIT);
    assert.equal(said.agent?.gobgp.state, 'Ready');
    assert.deepEqual(
      said.bgp?.peersV4.map(({ peerIP, type, state }) => ({ peerIP, type, state })),
      [{ peerIP: TOR, type: 'GlobalPeer', state: 'Established' }],
    );
    const learned = { destination: '10.244.200.0/24', gateway: TOR };
    assert.partialDeepStrictEqual(
      said.routes?.routesV4.filter(({ destination }) => destination === learned.destination),
      [
        { ...learned, type: 'FIB', interface: 'eth0' },
        { ...learned, type: 'RIB', learnedFrom: { sourceType: 'BGPPeer', peerIP: TOR } },
      ],
    );
    assert.deepEqual(
      said.conditions?.map(({ type, status }) => `${type} ${status}`),
      ['BGPConnected True', 'SessionsEstablished True', 'Draining False'],
    );
    assert.match(margay(['get', 'nodestatus', 'mine', ...datastore]).stdout, /\nmine +node1 +1\/1 +<none> +20/);
    assert.equal(await statusOf('other'), undefined);
  });

  await t.test('drained: traffic moves to the other way without a loss, and the last way stays', async () => {
    await other.exec('ip', 'address', 'add', `${pod.ip}/32`, 'dev', 'lo');
    startBirdWith(other, folder, 'other', otherConfiguration(block));
    const ways = async (): Promise<Readonly<Record<string, readonly string[]>>> => ({
      block: await nextHops(tor, block),
      services: await nextHops(tor, SERVICES),
    });
    const become = async (expected: Awaited<ReturnType<typeof ways>>): Promise<void> => {
      const same = async () => JSON.stringify(await ways()) === JSON.stringify(expected);
      await waitFor(JSON.stringify(expected), same, WAIT).catch(async () => assert.deepEqual(await ways(), expected));
    };
    await become({ block: [NODE, OTHER], services: [NODE] });
    const ping = startPing(tor, pod.ip);
    const drained = margay(['node', 'drain', 'node1', '--wait', '0', ...agent, ...datastore]);
    assert.deepEqual({ status: drained.status, stderr: drained.stderr }, { status: 0, stderr: '' });
    assert.match(drained.stdout, /^node1: its paths are announced as going/);
    await become({ block: [OTHER], services: [] });
    const peersView = ask(bgpPeersSchema.parse, 'peers');
    assert.equal(peersView.drain, 'announced');
    assert.deepEqual(
      ask(bgpAdvertisedSchema.parse, 'advertised').paths.map(({ prefix, communities }) => ({ prefix, communities })),
      [{ prefix: block, communities: ['65535:0'] }],
    );
    // The agent that starts again goes on draining: the wish stands in the Node.
    await node.kill();
    node.configure({ metricsListen: { address: '127.0.0.1', port: 9179 } });
    await node.start();
    await waitFor('the agent to drain', () => ask(bgpPeersSchema.parse, 'peers').drain === 'announced', WAIT);
    assert.deepEqual(await ways(), { block: [OTHER], services: [] });

    const wanted = [
      'margay_bgp_peer_up{peer="tor",address="198.51.100.254",asn="64600",type="GlobalPeer"} 1',
      'margay_bgp_peer_prefixes_received{peer="tor",address="198.51.100.254",asn="64600",type="GlobalPeer",family="ipv4"} 4',
      'margay_bgp_peer_prefixes_accepted{peer="tor",address="198.51.100.254",asn="64600",type="GlobalPeer",family="ipv4"} 1',
      'margay_bgp_peer_prefixes_advertised{peer="tor",address="198.51.100.254",asn="64600",type="GlobalPeer",family="ipv4"} 1',
      'margay_bgp_drain{stage="announced"} 1',
      'margay_routes{kind="learned"} 1',
    ];
    // It has just been started, and asks gobgpd now and then.
    const absent = (): readonly string[] => {
      const there = new Set(margay(['metrics', ...agent]).stdout.split('\n'));
      return wanted.filter((line) => !there.has(line));
    };
    await waitFor('the metrics', () => absent().length === 0, WAIT).catch(() => assert.deepEqual(absent(), []));
    const scrape = "fetch('http://127.0.0.1:9179/metrics').then(async (answer) => console.log(await answer.text()))";
    assert.match(await node.netns.exec(process.execPath, '-e', scrape), /\nmargay_bgp_peer_up\{peer="tor",.*\} 1\n/);

    const withdrawn = margay(['node', 'drain', 'node1', '--withdraw', '--wait', '0', ...agent, ...datastore]);
    assert.equal(withdrawn.status, 0, withdrawn.stderr);
    await become({ block: [OTHER], services: [] });
    assert.deepEqual(ask(bgpAdvertisedSchema.parse, 'advertised').paths, []);
    const back = margay(['node', 'undrain', 'node1', ...datastore]);
    assert.equal(back.status, 0, back.stderr);
    await become({ block: [NODE, OTHER], services: [NODE] });
    const { sent, lost } = await ping.stop();
    assert.ok(sent > 20, `only ${sent} packets`);
    assert.deepEqual(lost, []);
  });

  await t.test('a taint drains as well', async () => {
    const stored = await node.store.get('Node', undefined, 'node1');
    assert.ok(stored);
    await node.store.update({
      ...stored,
      spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' }] },
    });
    await waitFor('the other way', async () => (await nextHops(tor, block)).join() === OTHER, WAIT);
    assert.match(
      margay(['node', 'undrain', 'node1', ...datastore]).stdout,
      /taint "node\.kubernetes\.io\/out-of-service" still drains it/,
    );
  });

  await t.test('a prefix limit, and the NodeStatus that is written before its period is over', async () => {
    await put(node, 'BGPPeer', 'tor', peer({ maxPrefixes: 3 }));
    await hints(/it sent more than 3 prefixes of one family, and the session is held down/);
    const down = async () => {
      const { bgp, conditions = [] } = (await statusOf('mine')) ?? {};
      const [said] = conditions.filter(({ type }) => type === 'SessionsEstablished');
      return bgp?.numberNotEstablishedV4 === 1 && said?.status === 'False' && said.message.includes('tor: ');
    };
    await waitFor('the status without a session', down, WAIT);
  });
});

const peer = (more: object) => ({
  spec: { peerIP: TOR, asNumber: 64600, gracefulRestart: { enabled: false }, ...more },
});

/** Router, node and the other node on one bridge. */
async function segment(of: {
  readonly node: AgentNode;
  readonly tor: TestNetns;
  readonly other: TestNetns;
}): Promise<void> {
  const { node, tor, other } = of;
  await node.netns.exec('ip', 'link', 'set', 'uplink', 'netns', tor.name);
  await tor.exec('ip', 'link', 'add', 'br0', 'type', 'bridge');
  await other.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'second', 'netns', tor.name);
  for (const port of ['uplink', 'second']) await tor.exec('ip', 'link', 'set', port, 'master', 'br0', 'up');
  await tor.exec('ip', 'address', 'add', `${TOR}/24`, 'dev', 'br0');
  await tor.exec('ip', 'link', 'set', 'br0', 'up');
  await other.exec('ip', 'address', 'add', `${OTHER}/24`, 'dev', 'eth0');
  await other.exec('ip', 'link', 'set', 'eth0', 'up');
}

function startGobgpd({ netns, controlSocket }: AgentNode): void {
  const folder = join(dirname(controlSocket), 'gobgp');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { command, args, env } = gobgpdCommand({ socketPath: join(folder, 'gobgp.sock') });
  netns.spawn(command, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
}

/** A router as an operator writes it who has read RFC 8326. */
function torConfiguration({ password, routes = '' }: { readonly password?: string; readonly routes?: string }): string {
  const session = (name: string, address: string, asn: number): string => `
protocol bgp ${name} {
  local ${TOR} as 64600;
  neighbor ${address} as ${asn};
  ${password === undefined || name !== 'node1' ? '' : `password "${password}";`}
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  ipv4 {
    import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; };
    export where source = RTS_STATIC;
    next hop keep;
  };
}`;
  return `router id ${TOR};
protocol device { scan time 2; }
protocol kernel { merge paths on; ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; ${routes} }
${session('node1', NODE, 64512)}
${session('node2', OTHER, 64513)}
`;
}

const otherConfiguration = (block: string): string => `router id ${OTHER};
protocol device { scan time 2; }
protocol static { ipv4; route ${block} blackhole; }
protocol bgp tor {
  local ${OTHER} as 64513;
  neighbor ${TOR} as 64600;
  connect delay time 1;
  connect retry time 2;
  ipv4 { import none; export where source = RTS_STATIC; };
}
`;

/** Gateways of a route of BIRD's in the router's kernel, sorted. */
async function nextHops(tor: TestNetns, prefix: string): Promise<readonly string[]> {
  const text = await tor.exec('ip', '-j', 'route', 'show', 'proto', 'bird', prefix);
  type Hop = { readonly gateway?: string };
  const routes = JSON.parse(text) as readonly (Hop & { readonly nexthops?: readonly Hop[] })[];
  return routes
    .flatMap(({ gateway, nexthops = [] }) => [gateway, ...nexthops.map((hop) => hop.gateway)])
    .filter((gateway) => gateway !== undefined)
    .sort();
}

/** Echo requests, 20 a second, until `stop`. */
function startPing(netns: TestNetns, to: string) {
  const child = netns.spawn('ping', ['-n', '-i', '0.05', to], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    /** `lost`: the numbers of requests without an answer, but for the last, which `stop` may have overtaken. */
    stop: async (): Promise<{ readonly sent: number; readonly lost: readonly number[] }> => {
      child.kill('SIGINT');
      await ended;
      const sent = Number(/(\d+) packets transmitted/.exec(text)?.[1]);
      const answered = new Set([...text.matchAll(/icmp_seq=(\d+) ttl/g)].map(([, number]) => Number(number)));
      const asked = Array.from({ length: sent - 1 }, (_, index) => index + 1);
      return { sent, lost: asked.filter((number) => !answered.has(number)) };
    },
  };
}

/** Creates or replaces an object. */
async function put({ store }: AgentNode, kind: Kind, name: string, fields: object, namespace?: string): Promise<void> {
  const apiVersion = kind === 'Secret' ? 'v1' : 'projectcalico.org/v3';
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const resource = unwrap(parseResource({ apiVersion, kind, metadata, ...fields }));
  const there = await store.get(kind, namespace, name);
  await (there === undefined ? store.create(resource) : store.update(resource));
}
