// What a running cluster goes through without losing a packet of what is allowed, or passing one that is not.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { waitFor } from '../../lib/wait-for.ts';
import { type Lab, type LabStatus, testLab } from '../support/lab-cli.ts';

const exec = promisify(execFile);
const STREAM = join(import.meta.dirname, '..', 'support', 'stream.ts');

const inside = async (netns: string, ...command: readonly string[]): Promise<string> =>
  (await exec('nsenter', [`--net=/run/netns/${netns}`, '--', ...command], { timeout: 20_000 })).stdout;

const DENY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: only-web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 8080 }] }]
`;

async function labWithPods(
  t: Parameters<typeof testLab>[0],
  name: string,
  ...options: string[]
): Promise<[Lab, LabStatus]> {
  const lab = await testLab(t, name, '--nodes', '2', ...options);
  const pods = [
    ['web', 'node1'],
    ['other', 'node1'],
    ['db', 'node2'],
  ] as const;
  await Promise.all(
    pods.map(([pod, node]) =>
      lab.run('pod', 'run', pod, '--namespace', 'shop', '--node', node, '--label', `app=${pod}`, '--port', '8080/tcp'),
    ),
  );
  await lab.apply(DENY);
  return [lab, await lab.status()];
}

const podOf = (status: LabStatus, name: string): LabStatus['pods'][number] => {
  const pod = status.pods.find((each) => each.name === name);
  assert.ok(pod, `pod ${name} is there`);
  return pod;
};

const reaches = async (netns: string, ip: string): Promise<boolean> => {
  const script = `require('node:net').connect(8080, '${ip}').setTimeout(700, () => process.exit(1))
    .on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
  return inside(netns, process.execPath, '-e', script).then(
    () => true,
    () => false,
  );
};

/** A stream from `web` to `db`, and what became of it. */
function startStream(status: LabStatus, seconds: number) {
  const [ip = ''] = podOf(status, 'db').ips;
  const child = spawn('nsenter', [
    `--net=/run/netns/${podOf(status, 'web').netns}`,
    '--',
    process.execPath,
    STREAM,
    ip,
    '8080',
    String(seconds),
  ]);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return {
    connected: () => waitFor('the stream to connect', () => text.includes('connected')),
    result: async () => {
      const line = await waitFor('the end of the stream', () => text.split('\n').find((each) => each.startsWith('{')), {
        timeoutMs: seconds * 1000 + 20_000,
      });
      return JSON.parse(line) as { sent: number; echoed: number; inOrder: boolean; error?: string };
    },
  };
}

const uptimes = async (status: LabStatus, node: string): Promise<readonly string[]> => {
  const socket = status.nodes.find((each) => each.name === node)?.sockets.gobgp ?? '';
  const netns = status.nodes.find((each) => each.name === node)?.netns ?? '';
  const text = await inside(netns, 'gobgp', '--target', `unix://${socket}`, 'neighbor', '-j');
  const peers = JSON.parse(text) as { state: { neighbor_address: string }; timers: { state: { uptime?: unknown } } }[];
  return peers.map(({ state, timers }) => `${state.neighbor_address} ${JSON.stringify(timers.state.uptime)}`).sort();
};

test('agents killed under a running stream: it goes on, policy holds, no BGP session is reset', async (t) => {
  const [lab, status] = await labWithPods(t, 'tkill');
  await waitFor(
    'policy to hold',
    async () => !(await reaches(podOf(status, 'other').netns, podOf(status, 'db').ips[0] ?? '')),
  );
  await waitFor('sessions', async () => (await lab.status()).nodes.every(({ bgp }) => bgp.established === bgp.peers), {
    timeoutMs: 40_000,
  });
  const before = await Promise.all(['node1', 'node2'].map((node) => uptimes(status, node)));
  const stream = startStream(status, 8);
  await stream.connected();
  for (const { agent } of status.nodes) if (agent.pid !== undefined) process.kill(agent.pid, 'SIGKILL');
  assert.equal(
    await reaches(podOf(status, 'other').netns, podOf(status, 'db').ips[0] ?? ''),
    false,
    'denied without agents',
  );
  await waitFor(
    'the agents to be back',
    async () => {
      const now = await lab.status();
      return now.nodes.every(({ ready, agent }, index) => ready && agent.pid !== status.nodes[index]?.agent.pid);
    },
    { timeoutMs: 40_000, everyMs: 200 },
  );
  assert.equal(
    await reaches(podOf(status, 'other').netns, podOf(status, 'db').ips[0] ?? ''),
    false,
    'denied afterwards',
  );
  const { sent, echoed, inOrder, error } = await stream.result();
  assert.deepEqual({ echoed, inOrder, error }, { echoed: sent, inOrder: true, error: undefined });
  assert.ok(sent > 500, `${sent} lines were sent`);
  assert.deepEqual(await Promise.all(['node1', 'node2'].map((node) => uptimes(status, node))), before);
});

test('gobgpd killed: routes stay, sessions come back, everything is advertised again', async (t) => {
  const [lab, status] = await labWithPods(t, 'tgobgp');
  const ready = async (): Promise<boolean> =>
    (await lab.status()).nodes.every(({ bgp }) => bgp.peers > 0 && bgp.established === bgp.peers);
  await waitFor('sessions', ready, { timeoutMs: 40_000 });
  const [node1, node2] = status.nodes;
  assert.ok(node1 && node2);
  const routesOf = async (netns: string): Promise<string> => inside(netns, 'ip', 'route', 'show', 'proto', '177');
  await waitFor('the route to the other block', async () =>
    (await routesOf(node1.netns)).includes(`${node2.blocks[0]} via`),
  );
  const before = await routesOf(node1.netns);
  assert.ok(node1.gobgpd.pid !== undefined);
  process.kill(node1.gobgpd.pid, 'SIGKILL');
  const stream = startStream(status, 12);
  await waitFor(
    'another gobgpd with all sessions',
    async () => {
      assert.equal(await routesOf(node1.netns), before, 'the routes stay');
      const now = await lab.status();
      return now.nodes[0]?.gobgpd.pid !== node1.gobgpd.pid && (await ready());
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
  const { sent, echoed, inOrder } = await stream.result();
  assert.deepEqual({ echoed, inOrder }, { echoed: sent, inOrder: true });
  await waitFor('the block at the ToR', async () =>
    (await inside(status.tor.netns, 'ip', 'route')).includes(`${node1.blocks[0]} via`),
  );
});

test('a ToR that advertises 0.0.0.0/0 changes no default route', async (t) => {
  const [lab, status] = await labWithPods(t, 'tleak', '--tor', 'gobgp');
  const [node1] = status.nodes;
  assert.ok(node1);
  await waitFor('sessions', async () => (await lab.status()).nodes.every(({ bgp }) => bgp.established === bgp.peers), {
    timeoutMs: 40_000,
  });
  const table = JSON.parse(await lab.run('status', '--json')) as { tor: { directory: string } };
  const before = await inside(node1.netns, 'ip', 'route', 'show', 'default');
  const target = `unix://${join(table.tor.directory, 'gobgp', 'gobgp.sock')}`;
  await inside(
    status.tor.netns,
    'gobgp',
    '--target',
    target,
    'global',
    'rib',
    'add',
    '0.0.0.0/0',
    'nexthop',
    '198.51.100.1',
  );
  await waitFor('the leak to be heard', async () =>
    (await inside(node1.netns, 'gobgp', '--target', `unix://${node1.sockets.gobgp}`, 'global', 'rib')).includes(
      '0.0.0.0/0',
    ),
  );
  await lab.run('pod', 'run', 'late', '--namespace', 'shop', '--node', 'node1');
  assert.equal(await inside(node1.netns, 'ip', 'route', 'show', 'default'), before);
  assert.doesNotMatch(await inside(node1.netns, 'ip', 'route', 'show', 'proto', '177'), /default/);
});
