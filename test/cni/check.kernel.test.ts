// CHECK through the real executable and the real agent: the rules that all pods share, routes of others, both families,
// what nobody has put there, and what plugins behind us may do.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { failed } from '../support/cni-answers.ts';
import { type CniCaller, type CniOutcome, cniCaller } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

const DEADLINE = { timeoutMs: 60_000 };
const POOL = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'pods-v6' },
  spec: { cidr: 'fd00:10:244::/48', blockSize: 120 },
};

test('CHECK', async (t) => {
  // Open to others, so that rules can be damaged too.
  const node = await agentNode(t, { tableOwner: 'off' });
  await node.create(POOL);
  await node.start();
  const world: World = { node, pod: await testNetns(t, 'pod'), ...cniCaller(cniPathsOf(node)) };
  for (const damage of DAMAGES) await t.test(`names ${damage.name}`, () => damaged(world, damage));
  for (const change of CHANGES) await t.test(`allows ${change.name}`, () => changed(world, change));
  await t.test('allows what the plugin tuning changed and tells', () => tuned(world));
  await t.test('is content with a record that does not have the MTU', () => withoutMtu(world));
});

type World = CniCaller & { readonly node: AgentNode; readonly pod: TestNetns };

/** Commands of the shell; `HOST`, `IP` and `IP6` stand for the pod's link on the node and its addresses. */
type Damage = {
  readonly name: string;
  readonly where: 'node' | 'pod';
  readonly given: string;
  readonly expected: RegExp;
  /** For what the agent does not put right. */
  readonly after?: string;
  /** Absent: the newest. */
  readonly cniVersion?: string;
};

const rules = (name: string, given: string, key: string): Damage => ({
  name,
  where: 'node',
  given: `nft '${given}'`,
  expected: new RegExp(`nftables "${key}" is missing or changed`),
});

const DAMAGES: readonly Damage[] = [
  rules('a base chain of ingress that is empty', 'flush chain inet margay fwd_ingress', 'chain/fwd_ingress'),
  rules('a base chain of egress with one rule more', 'insert rule inet margay fwd_egress accept', 'chain/fwd_egress'),
  rules('a base chain of the node', 'flush chain inet margay in_egress', 'chain/in_egress'),
  rules('anti-spoofing that is off', 'flush chain inet margay raw_pre', 'chain/raw_pre'),
  rules('a chain that judges nothing', 'flush chain inet margay judge_ingress', 'chain/judge_ingress'),
  rules('an open port of BGP', 'delete element inet margay closed_ports { tcp . 179 }', 'element/closed_ports.*'),
  rules('an IPv6 element', 'delete element inet margay ep_addr6 { HOST . IP6 }', 'element/ep_addr6.*'),
  {
    name: 'a route of others that wins',
    where: 'node',
    given: 'ip route replace IP/32 dev eth0 metric 10',
    expected: /route to "IP" that counts is of protocol 3 with metric 10,/,
    after: 'ip route del IP/32 dev eth0 metric 10',
  },
  {
    name: 'an IPv6 route of others that wins',
    where: 'node',
    given: 'ip -6 route replace IP6/128 dev eth0 metric 10',
    expected: /route to "IP6" that counts is of protocol 3 with metric 10,/,
    after: 'ip -6 route del IP6/128 dev eth0 metric 10',
  },
  {
    name: 'a rule that leads past the route',
    where: 'node',
    given: 'ip route replace 10.244.0.0/16 dev eth0 table 100 && ip rule add to IP lookup 100',
    expected: /route to "IP" is missing, or comes second to 10\.244\.0\.0\/16 of protocol 3/,
    after: 'ip rule del lookup 100',
  },
  {
    name: 'a route to another link',
    where: 'node',
    given: 'ip route replace IP/32 dev eth0 proto 177 metric 1060',
    expected: /route to "IP" leads to link \d+, expected "HOST"/,
  },
  {
    name: 'an IPv6 route that is gone',
    where: 'node',
    given: 'ip -6 route del IP6 proto 177',
    expected: /route to "IP6" is missing/,
  },
  {
    name: 'an IPv6 address that is gone',
    where: 'pod',
    given: 'ip -6 addr del IP6/128 dev eth0',
    expected: /address IP6\/128 is missing on eth0/,
  },
  {
    name: 'an IPv6 default route that is gone',
    where: 'pod',
    given: 'ip -6 route del default',
    expected: /route ::\/0 by eth0 is missing/,
  },
  {
    name: 'an IPv6 neighbour that is gone',
    where: 'pod',
    given: 'ip -6 neigh del fe80::ecee:eeff:feee:eeee dev eth0',
    expected: /neighbour fe80::ecee:eeff:feee:eeee of eth0 is missing/,
  },
  {
    name: 'an IPv6 neighbour with another address',
    where: 'pod',
    given: 'ip -6 neigh replace fe80::ecee:eeff:feee:eeee lladdr 02:00:00:00:00:09 dev eth0 nud permanent',
    expected: /neighbour fe80::ecee:eeff:feee:eeee of eth0 is missing/,
  },
  ...[
    ['proxy_ndp', 0, 1],
    ['accept_dad', 1, 0],
    ['forwarding', 0, 1],
    ['accept_ra', 1, 0],
  ].map(
    ([key, value, expected]): Damage => ({
      name: `IPv6 parameter ${key} of the host end`,
      where: 'node',
      given: `echo ${value} >/proc/sys/net/ipv6/conf/HOST/${key}`,
      expected: new RegExp(`sysctl net\\.ipv6\\.conf\\.HOST\\.${key} is ${value}, expected ${expected}`),
    }),
  ),
  {
    name: 'an address that nobody lists',
    where: 'pod',
    given: 'ip addr add 192.0.2.7/32 dev eth0',
    expected: /address 192\.0\.2\.7\/32 on eth0 is nobody's/,
  },
  {
    name: 'an IPv6 address that nobody lists',
    where: 'pod',
    given: 'ip addr add fd00:bad::7/128 dev eth0 nodad',
    expected: /address fd00:bad::7\/128 on eth0 is nobody's/,
  },
  {
    name: "the pod's own address with another prefix",
    where: 'pod',
    given: 'ip addr add IP/24 dev eth0',
    expected: /address IP\/24 on eth0 is nobody's/,
  },
  {
    name: 'an MTU where results do not tell it',
    where: 'pod',
    given: 'ip link set eth0 mtu 1300',
    expected: /interface eth0 has MTU 1300, expected 1500/,
    cniVersion: '0.4.0',
  },
  {
    name: 'an MTU of the host end',
    where: 'node',
    given: 'ip link set HOST mtu 1300',
    expected: /host interface HOST has MTU 1300, expected 1500/,
    cniVersion: '1.0.0',
  },
];

async function damaged(world: World, { where, given, expected, after, cniVersion }: Damage): Promise<void> {
  const { node, pod } = world;
  await attached(world, cniVersion, async ({ named, check, prevResult }) => {
    // What was damaged before may not be put right yet.
    await waitFor('all to be well', async () => (await check(prevResult)).exitCode === 0, DEADLINE);
    const expectation = new RegExp(named(expected.source));
    // What the agent watches is repaired within moments, and not so soon when it is damaged again and again.
    await waitFor(
      'CHECK to see it',
      async () => {
        await (where === 'node' ? node.netns : pod).exec('sh', '-c', named(given)).catch(() => undefined);
        const answer = await check(prevResult);
        if (answer.exitCode === 0) return false;
        const { code, msg, details } = failed(answer);
        assert.equal(code, 105);
        return expectation.test(`${msg}; ${details}`);
      },
      DEADLINE,
    );
    if (after !== undefined) await node.netns.exec('sh', '-c', named(after));
  });
}

/** What a plugin behind us does in the pod, and what it makes of the result. */
type Change = {
  readonly name: string;
  readonly given: string;
  readonly result: (ours: Result) => object;
};

const CHANGES: readonly Change[] = [
  {
    name: 'a pod that forwards',
    given: 'echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding',
    result: (ours) => ours,
  },
  {
    name: 'routes that were moved to another table',
    given: [
      'ip route add 169.254.1.1 dev eth0 table 100 && ip route add default via 169.254.1.1 dev eth0 table 100',
      'ip rule add from IP lookup 100 && ip route del default && ip route del 169.254.1.1',
    ].join(' && '),
    result: (ours) => ours,
  },
  {
    name: 'default routes that the result does not list any more',
    given: 'ip route del default && ip route del 169.254.1.1 && ip -6 route del default',
    result: ({ routes: _, ...ours }) => ours,
  },
  {
    name: 'a default route by the gateway of another',
    given: 'ip route del default && ip route add default dev lo',
    result: ({ routes, ...ours }) => ({
      ...ours,
      routes: routes.map((each) => (each.dst === '::/0' ? each : { ...each, gw: '192.0.2.1' })),
    }),
  },
  {
    name: 'an address that the result lists',
    given: 'ip addr add 192.0.2.7/32 dev eth0 && ip addr add fd00:bad::7/128 dev eth0 nodad',
    result: (ours) => ({
      ...ours,
      ips: [...ours.ips, { address: '192.0.2.7/32', interface: 1 }, { address: 'FD00:BAD:0::7/128', interface: 1 }],
    }),
  },
  {
    name: 'an MTU that the result tells',
    given: 'ip link set eth0 mtu 1400',
    result: ({ interfaces: [host, inside], ...ours }) => ({ ...ours, interfaces: [host, { ...inside, mtu: 1400 }] }),
  },
];

async function changed(world: World, { given, result }: Change): Promise<void> {
  await attached(world, undefined, async ({ named, check, prevResult }) => {
    await world.pod.exec('sh', '-c', named(given));
    assert.deepEqual(outcome(await check(result(prevResult))), { exitCode: 0, stdout: '' });
    await world.pod.exec('sh', '-c', 'ip rule del lookup 100 2>/dev/null; ip route flush table 100; true');
  });
}

async function tuned(world: World): Promise<void> {
  const dataDir = join(dirname(dirname(world.node.controlSocket)), 'tuning');
  const plugin = {
    ...{ cniVersion: '1.0.0', name: 'margay', type: 'tuning', dataDir },
    ...{ sysctl: { 'net.ipv4.ip_forward': '1' }, mac: '02:00:00:00:00:77' },
  };
  await attached(world, '1.0.0', async ({ id, check, prevResult }) => {
    const behind = async (command: string, config: object): Promise<string> => {
      const environment = {
        ...{ CNI_COMMAND: command, CNI_CONTAINERID: id.containerId, CNI_NETNS: id.netns, CNI_IFNAME: 'eth0' },
        CNI_PATH: '/usr/lib/cni',
      };
      const child = world.node.netns.spawn('/usr/lib/cni/tuning', [], { env: environment });
      child.stdin?.end(JSON.stringify({ ...plugin, ...config }));
      let stdout = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      const [exitCode] = await once(child, 'close');
      assert.equal(exitCode, 0, stdout);
      return stdout;
    };
    const told = JSON.parse(await behind('ADD', { prevResult }));
    assert.deepEqual(outcome(await check(told)), { exitCode: 0, stdout: '' });
    assert.equal(await behind('CHECK', { prevResult: told }), '');
    await behind('DEL', { prevResult: told });
  });
}

async function withoutMtu(world: World): Promise<void> {
  const { node } = world;
  await attached(world, '1.0.0', async ({ check, prevResult }) => {
    await node.kill();
    const journal = new DatabaseSync(join(dirname(dirname(node.controlSocket)), 'state', 'journal.db'));
    const { changes } = journal
      .prepare("UPDATE assignment SET record = json_remove(record, '$.mtu') WHERE json_extract(record, '$.mtu') = 1500")
      .run();
    journal.close();
    assert.equal(changes, 1);
    await node.start();
    assert.deepEqual(outcome(await check(prevResult)), { exitCode: 0, stdout: '' });
  });
}

type Result = {
  readonly interfaces: readonly [object, object];
  readonly ips: readonly { readonly address: string; readonly interface: number }[];
  readonly routes: readonly { readonly dst: string; readonly gw: string }[];
};

type Attached = {
  readonly id: { readonly containerId: string; readonly netns: string; readonly pod: string };
  readonly prevResult: Result;
  readonly named: (text: string) => string;
  readonly check: (prevResult: object) => Promise<CniOutcome>;
};

let count = 0;

/** `work` with a pod that is there, and is gone afterwards. */
async function attached(
  { pod, call }: World,
  cniVersion: string | undefined,
  work: (attached: Attached) => Promise<void>,
): Promise<void> {
  const id = { containerId: `checked-${count++}`, netns: pod.path, pod: 'web' };
  const version = cniVersion === undefined ? {} : { cniVersion };
  const added = await call({ command: 'ADD', ...id, config: version });
  assert.equal(added.exitCode, 0, added.stdout);
  const prevResult = JSON.parse(added.stdout);
  const addresses: readonly string[] = prevResult.ips.map((each: { address: string }) => each.address.split('/')[0]);
  const of = (mark: string): string => addresses.find((each) => each.includes(mark)) ?? assert.fail(added.stdout);
  const words = { HOST: prevResult.interfaces[0].name, IP6: of(':'), IP: of('.') };
  const attachedPod: Attached = {
    id,
    prevResult,
    named: (text) => text.replaceAll(/HOST|IP6|IP/g, (word) => words[word as keyof typeof words]),
    check: (told) => call({ command: 'CHECK', ...id, config: { ...version, prevResult: told } }),
  };
  try {
    await work(attachedPod);
  } finally {
    assert.deepEqual(outcome(await call({ command: 'DEL', ...id, config: version })), { exitCode: 0, stdout: '' });
  }
  await waitFor('the link to go', async () => !/eth\d/.test(await pod.exec('ip', '-o', 'link')), DEADLINE);
}

const outcome = ({ exitCode, stdout }: CniOutcome) => ({ exitCode, stdout });
