// What must be true in the kernels of a running lab besides connectivity, each as one named check.
import { z } from 'zod';
import { agentStatus } from '../agent.ts';
import { inside, run, runAny } from '../exec.ts';
import { ipJson } from '../netns.ts';
import { nodeNetns, torNetns } from '../paths.ts';
import type { LabSpec } from '../spec.ts';
import type { DemoCheck, DemoReport } from './report.ts';

const routeSchema = z.looseObject({
  type: z.string().exactOptional(),
  dst: z.string(),
  gateway: z.string().exactOptional(),
  nexthops: z.array(z.looseObject({ gateway: z.string().exactOptional() })).exactOptional(),
  protocol: z.string().exactOptional(),
  metric: z.int().exactOptional(),
});
type KernelRoute = z.output<typeof routeSchema>;

/** Route protocol of the agent (design: our own number, so that ours are told from others'). */
const OUR_PROTOCOL = '177';

/** IPv4 routes of a namespace's main table. */
export const kernelRoutes = async (lab: string, netns: string): Promise<readonly KernelRoute[]> =>
  z.array(routeSchema).parse(await ipJson(lab, netns, ['-4', 'route', 'show']));

/** The ToR's routes to pods. */
export async function torRoutes({ name: lab }: LabSpec): Promise<DemoReport['tor']['routes']> {
  return (await kernelRoutes(lab, torNetns(lab)))
    .filter(({ dst }) => dst.startsWith('10.244.'))
    .map((route) => ({ prefix: route.dst, via: gatewaysOf(route) }));
}

/** A ping from the ToR to each of these pods. */
export async function checkPing({ name: lab }: LabSpec, pods: readonly { readonly ip: string }[]): Promise<DemoCheck> {
  const lost = await Promise.all(
    pods.map(async ({ ip }) => {
      // Until one is answered.
      const command = inside(torNetns(lab), ['ping', '-n', '-q', '-c', '1', '-i', '0.2', '-w', '10', ip]);
      const { exitCode } = await runAny(lab, command);
      return exitCode === 0 ? [] : [ip];
    }),
  );
  const silent = lost.flat();
  return check('a ping from the ToR reaches a pod of every node', silent.length === 0 && pods.length > 0, [
    silent.length === 0 ? `${pods.length} pods answered` : `no answer from ${silent.join(', ')}`,
  ]);
}

/** Routes of every node and of the ToR, proxy_arp of the pods' interfaces, and the machine's own namespace. */
export async function checkKernels(spec: LabSpec): Promise<readonly DemoCheck[]> {
  const blocks = new Map<string, readonly string[]>();
  for (const { name } of spec.nodes) blocks.set(name, (await agentStatus(spec.name, name))?.blocks ?? []);
  const problems = await Promise.all(spec.nodes.map(({ name }) => nodeProblems(spec, name, blocks)));
  const tor = await torRoutes(spec);
  const missing = spec.nodes.flatMap(({ name, address }) =>
    (blocks.get(name) ?? []).filter(
      (block) => !tor.some(({ prefix, via }) => prefix === block && via.includes(address)),
    ),
  );
  return [
    check(
      'every node has the right routes',
      problems.every(({ routes }) => routes.length === 0),
      [...problems.flatMap(({ routes }) => routes)],
    ),
    check(
      'no node took the default route that the ToR advertises',
      problems.every(({ defaults }) => defaults.length === 0),
      [...problems.flatMap(({ defaults }) => defaults)],
    ),
    check(
      'proxy_arp is 1 on the host end of every pod',
      problems.every(({ proxyArp }) => proxyArp.length === 0),
      [...problems.flatMap(({ proxyArp }) => proxyArp)],
    ),
    check(
      'the kernel of the ToR has all blocks',
      missing.length === 0,
      missing.map((block) => `${block} is missing`),
    ),
    await checkMachine(spec.name),
  ];
}

async function nodeProblems(
  { name: lab, nodes, tor }: LabSpec,
  node: string,
  blocks: ReadonlyMap<string, readonly string[]>,
) {
  const routes = await kernelRoutes(lab, nodeNetns(lab, node));
  const ours = routes.filter(({ protocol }) => protocol === OUR_PROTOCOL);
  const wrong: string[] = [];
  for (const { name, address } of nodes) {
    const own = blocks.get(name) ?? [];
    if (own.length === 0) wrong.push(`${name} has no block`);
    for (const block of own) {
      const route = ours.find(({ dst }) => dst === block);
      const isRight =
        name === node ? route?.type === 'blackhole' : route !== undefined && gatewaysOf(route).join() === address;
      if (!isRight) wrong.push(`${node}: route to ${block} of ${name} is ${JSON.stringify(route) ?? 'missing'}`);
    }
  }
  const defaults = routes
    .filter(({ dst }) => dst === 'default')
    .filter((route, index) => index > 0 || route.protocol === OUR_PROTOCOL || gatewaysOf(route).join() !== tor.address)
    .map((route) => `${node}: ${JSON.stringify(route)}`);
  // A default route that never came would be no proof.
  const rejected = (await agentStatus(lab, node))?.routes.rejected ?? [];
  if (!rejected.some(({ prefix, from }) => prefix === '0.0.0.0/0' && from === tor.address)) {
    defaults.push(`${node} has not heard of it`);
  }
  return { routes: wrong, defaults, proxyArp: await proxyArpProblems(lab, node) };
}

async function proxyArpProblems(lab: string, node: string): Promise<readonly string[]> {
  const interfaces = (await agentStatus(lab, node))?.endpoints.map((endpoint) => endpoint.interface) ?? [];
  if (interfaces.length === 0) return [];
  const paths = interfaces.map((name) => `/proc/sys/net/ipv4/conf/${name}/proxy_arp`);
  const { stdout } = await runAny(lab, inside(nodeNetns(lab, node), ['cat', ...paths]));
  const values = stdout.trim().split('\n');
  return interfaces.flatMap((name, index) => (values[index] === '1' ? [] : [`${node}: ${name} has ${values[index]}`]));
}

/** Looks for anything of ours in the namespace that this process runs in. */
async function checkMachine(lab: string): Promise<DemoCheck> {
  const text = async (...command: readonly [string, ...string[]]): Promise<readonly string[]> =>
    (await run(lab, command)).split('\n');
  const found = [
    ...(await text('ip', '-o', 'link', 'show')).filter((line) => /^\d+: mgy/.test(line)),
    ...(await text('ip', '-o', '-4', 'addr', 'show')).filter((line) =>
      /inet (198\.51\.100|203\.0\.113|10\.244)\./.test(line),
    ),
    ...(await text('ip', 'route', 'show', 'table', 'all')).filter((line) => line.includes(`proto ${OUR_PROTOCOL}`)),
    ...(await text('nft', 'list', 'tables')).filter((line) => line.includes(' margay')),
  ];
  return check("nothing is in the machine's own network namespace", found.length === 0, found);
}

const gatewaysOf = ({ gateway, nexthops = [] }: KernelRoute): readonly string[] =>
  [gateway, ...nexthops.map((hop) => hop.gateway)].filter((each) => each !== undefined);

const check = (name: string, ok: boolean, details: readonly string[]): DemoCheck => ({
  name,
  ok,
  detail: details.join('; '),
});
