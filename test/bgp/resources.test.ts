// From objects of the datastore to routes of two kernels: the agent with its gobgpd on a node, and BIRD as its router.
import assert from 'node:assert/strict';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gobgpdCommand } from '../../bgp/gobgpd.ts';
import type { Kind } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

const NODE = '198.51.100.11';
const TOR = '198.51.100.254';
const WAIT = { timeoutMs: 60_000 };

test('the agent, its gobgpd and a router do what BGP objects say', async (t) => {
  const node = await agentNode(t);
  const tor = await testNetns(t, 'tor');
  await node.netns.exec('ip', 'link', 'set', 'uplink', 'netns', tor.name);
  await tor.exec('ip', 'address', 'add', `${TOR}/24`, 'dev', 'uplink');
  await tor.exec('ip', 'link', 'set', 'uplink', 'up');
  startGobgpd(node);
  const bird = startBird(node, tor);

  await put(node, 'BGPPeer', 'tor', peer({}));
  await node.start();
  const [block = ''] = (await node.store.list('IPBlock')).items.map(({ spec }) => spec.cidr);
  assert.match(block, /^10\.244\.\d+\.0\/24$/);

  await t.test('no session without its password', async () => {
    const why = 'there is no Secret "kube-system/bgp", expected one with the password under key "tor"';
    await waitFor(
      'the problem',
      async () => JSON.stringify(await node.status()).includes(JSON.stringify(why).slice(1, -1)),
      WAIT,
    );
    assert.deepEqual(await kernelRoutes(tor, 'bird'), []);
    await put(node, 'Secret', 'bgp', { stringData: { tor: 'correct horse' } }, 'kube-system');
    await becomes(() => kernelRoutes(tor, 'bird'), [block]);
    assert.doesNotMatch(JSON.stringify(await node.status()) + node.log(), /correct horse/);
  });

  await t.test('a router is believed inside the pools only', async () => {
    await learns(node, ['10.244.200.0/24']);
    for (const prefix of ['0.0.0.0/0', '203.0.113.0/24', '198.51.100.128/25']) {
      await waitFor(`${prefix} to be refused`, async () => JSON.stringify(await node.status()).includes(prefix), WAIT);
    }
  });

  await t.test('importCIDRs and rules that accept let more in, rules that reject less', async () => {
    await put(node, 'BGPPeer', 'tor', peer({ importCIDRs: ['203.0.113.0/25'], filters: ['f'] }));
    await put(node, 'BGPFilter', 'f', {
      spec: {
        importV4: [
          { cidr: '10.244.0.0/16', matchOperator: 'In', prefixLength: { min: 24, max: 24 }, action: 'Reject' },
          {
            communities: { values: ['64600:7'] },
            action: 'Accept',
            operations: [{ addCommunity: { value: '64512:7' } }],
          },
          { cidr: '0.0.0.0/0', matchOperator: 'Equal', action: 'Accept' },
        ],
      },
    });
    // 203.0.113.0/24 carries the community; 203.0.113.64/26 is in the range; 192.0.2.0/24 is in nothing.
    await learns(node, ['0.0.0.0/0', '203.0.113.0/24', '203.0.113.64/26']);
    await put(node, 'BGPFilter', 'f', {
      spec: { importV4: [{ communities: { values: ['64600:7'] }, action: 'Reject' }] },
    });
    await learns(node, ['10.244.200.0/24', '203.0.113.64/26']);
  });

  await t.test('a filter that is not there closes the session for routes, both ways', async () => {
    await put(node, 'BGPPeer', 'tor', peer({ filters: ['f', 'gone'] }));
    await learns(node, []);
    await becomes(() => kernelRoutes(tor, 'bird'), []);
    await put(node, 'BGPPeer', 'tor', peer({ filters: ['f'] }));
    await becomes(() => kernelRoutes(tor, 'bird'), [block]);
  });

  await t.test('paths carry the communities of their range and what a rule adds', async () => {
    await put(node, 'BGPConfiguration', 'default', {
      spec: {
        communities: [{ name: 'pods', value: '64512:100' }],
        prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['pods', '64512:1:2'] }],
      },
    });
    await put(node, 'BGPFilter', 'f', {
      spec: {
        exportV4: [
          { cidr: block, matchOperator: 'NotEqual', action: 'Reject' },
          {
            peerType: 'eBGP',
            communities: { values: ['64512:100'] },
            action: 'Accept',
            operations: [{ addCommunity: { value: '64512:9' } }, { prependASPath: { prefix: [64999] } }],
          },
          { action: 'Reject' },
        ],
      },
    });
    const wanted = ['BGP.as_path: 64512 64999 64512', '(64512,9)', '(64512,100)', 'BGP.large_community: (64512, 1, 2)'];
    await becomes(async () => missing(await bird('show', 'route', block, 'all'), wanted), []);
  });

  await t.test('another password is another session, with the same routes', async () => {
    await put(node, 'Secret', 'bgp', { stringData: { tor: 'wrong' } }, 'kube-system');
    await waitFor(
      'the end of the session',
      async () => !(await bird('show', 'protocols', 'node')).includes('Established'),
      WAIT,
    );
    await put(node, 'Secret', 'bgp', { stringData: { tor: 'correct horse' } }, 'kube-system');
    await waitFor('the session', async () => (await bird('show', 'protocols', 'node')).includes('Established'), WAIT);
    await becomes(() => kernelRoutes(tor, 'bird'), [block]);
  });
});

const peer = (more: object) => ({
  spec: {
    peerIP: TOR,
    asNumber: 64600,
    password: { secretKeyRef: { name: 'bgp', key: 'tor' } },
    gracefulRestart: { enabled: false },
    ...more,
  },
});

/** Creates or replaces an object. */
async function put({ store }: AgentNode, kind: Kind, name: string, fields: object, namespace?: string): Promise<void> {
  const apiVersion = kind === 'Secret' ? 'v1' : 'projectcalico.org/v3';
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const resource = unwrap(parseResource({ apiVersion, kind, metadata, ...fields }));
  const there = await store.get(kind, namespace, name);
  await (there === undefined ? store.create(resource) : store.update(resource));
}

const learns = ({ netns }: AgentNode, expected: readonly string[]): Promise<void> =>
  becomes(() => kernelRoutes(netns, '177', 'via'), expected);

/** Waits for an answer, and shows the last one when it never came. A router that has no such route fails, and is asked again. */
async function becomes(read: () => Promise<readonly string[]>, expected: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  await waitFor(
    expected.join(),
    async () => {
      last = await read().catch((error: unknown) => [String(error)]);
      return last.join() === expected.join();
    },
    WAIT,
  ).catch(() => assert.deepEqual(last, expected));
}

/** Destinations, sorted; `via`: those with a next hop. */
async function kernelRoutes(
  netns: TestNetns,
  protocol: string,
  which: 'all' | 'via' = 'all',
): Promise<readonly string[]> {
  const text = await netns.exec('ip', '-j', 'route', 'show', 'proto', protocol);
  const routes = JSON.parse(text) as readonly { readonly dst: string; readonly gateway?: string }[];
  return routes
    .filter(({ gateway }) => which === 'all' || gateway !== undefined)
    .map(({ dst }) => (dst === 'default' ? '0.0.0.0/0' : dst))
    .sort();
}

const missing = (text: string, wanted: readonly string[]): readonly string[] =>
  wanted.filter((line) => !text.replaceAll('\t', '').includes(line));

function startGobgpd({ netns, controlSocket }: AgentNode): void {
  const folder = join(dirname(controlSocket), 'gobgp');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { command, args, env } = gobgpdCommand({ socketPath: join(folder, 'gobgp.sock') });
  netns.spawn(command, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
}

/** Announces what a router should and should not; the answer asks it. */
function startBird({ controlSocket }: AgentNode, netns: TestNetns): (...words: readonly string[]) => Promise<string> {
  const folder = dirname(controlSocket);
  const config = join(folder, 'bird.conf');
  const control = join(folder, 'bird.ctl');
  writeFileSync(
    config,
    `router id ${TOR};
protocol device { scan time 2; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static {
  ipv4;
  route 0.0.0.0/0 blackhole;
  route 10.244.200.0/24 blackhole;
  route 192.0.2.0/24 blackhole;
  route 198.51.100.128/25 blackhole;
  route 203.0.113.0/24 blackhole { bgp_community.add((64600, 7)); };
  route 203.0.113.64/26 blackhole;
}
protocol bgp node {
  local ${TOR} as 64600;
  neighbor ${NODE} as 64512;
  password "correct horse";
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
}
`,
  );
  const log = openSync(join(folder, 'bird.out'), 'a');
  netns.spawn('bird', ['-f', '-c', config, '-s', control, '-P', join(folder, 'bird.pid')], {
    stdio: ['ignore', log, log],
  });
  return (...words) => netns.exec('birdc', '-s', control, ...words);
}
