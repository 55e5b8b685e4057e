// `margay ipam show`: how full pools and blocks are, or who has an address.
import type { Command } from 'commander';
import type { IpBlock } from '../../datastore/resources/ip-block.ts';
import { blockSizeOf, type IpPool } from '../../datastore/resources/ip-pool.ts';
import { cidrContains, cidrLength, cidrSize } from '../../lib/cidr.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { printTable } from './print-table.ts';
import { type IpamOptions, type IpamWorld, readIpamWorld, withIpamOptions, withStore } from './world.ts';

export function registerIpamShow(ipam: Command): void {
  const command = ipam
    .command('show [ip]')
    .description('print how full pools are, their blocks, or who has an address')
    .option('--blocks', 'print blocks instead of pools')
    .option('--pool <name>', 'print the blocks of this pool alone');
  withIpamOptions(command).action(show);
}

type ShowOptions = IpamOptions & { readonly blocks?: true; readonly pool?: string };

async function show(ip: string | undefined, { blocks, pool, ...options }: ShowOptions): Promise<void> {
  const address = ip === undefined ? undefined : unwrap(parseIp(ip));
  const world = await withStore(options, (store) => readIpamWorld(store, options));
  for (const why of world.silent) console.error(`margay: ${why}`);
  if (pool !== undefined && !world.pools.some(({ metadata }) => metadata.name === pool)) {
    const names = world.pools.map(({ metadata }) => metadata.name).join(', ');
    throw new Error(`Cannot find IPPool "${pool}": is not there, expected one of ${names || 'none'}`);
  }
  if (address !== undefined) console.log(aboutAddress(address, world));
  else if (blocks === true || pool !== undefined) console.log(printTable(blockRows(world, pool)));
  else console.log(printTable(poolRows(world)));
}

function poolRows(world: IpamWorld): readonly (readonly string[])[] {
  const useOf = usesOf(world);
  return [
    ['POOL', 'CIDR', 'ADDRESSES', 'BLOCKS', 'IN USE', 'STATE'],
    ...world.pools.map((pool) => {
      const { name } = pool.metadata;
      const blocks = world.blocks.filter(({ spec }) => spec.pool === name);
      const uses = blocks.map((block) => useOf(block)?.used);
      const known = uses.filter((used) => used !== undefined);
      const most = 1n << BigInt(blockSizeOf(pool) - cidrLength(pool.spec.cidr));
      return [
        name,
        pool.spec.cidr,
        `${cidrSize(pool.spec.cidr)}`,
        `${blocks.length} of ${most}`,
        known.length < uses.length ? UNKNOWN : `${known.reduce((sum, used) => sum + used, 0)}`,
        stateOf(pool),
      ];
    }),
  ];
}

function blockRows(world: IpamWorld, pool: string | undefined): readonly (readonly string[])[] {
  const useOf = usesOf(world);
  return [
    ['BLOCK', 'POOL', 'NODE', 'ADDRESSES', 'IN USE', 'COOLING'],
    ...world.blocks
      .filter(({ spec }) => pool === undefined || spec.pool === pool)
      .map((block) => {
        const { spec } = block;
        const use = useOf(block);
        const [used, cooling] = use === undefined ? [UNKNOWN, UNKNOWN] : [`${use.used}`, `${use.cooling}`];
        return [spec.cidr, spec.pool, spec.node, `${cidrSize(spec.cidr)}`, used, cooling];
      }),
  ];
}

/** Of a block whose agent did not answer. */
const UNKNOWN = 'unknown';

/** What a block's own node says of it. By node too: an agent may be of another cluster. */
function usesOf({ views }: IpamWorld) {
  const said = views.flatMap(({ node, blocks }) => blocks.map((block) => [`${node} ${block.cidr}`, block] as const));
  const uses = new Map(said);
  return ({ spec }: IpBlock) => uses.get(`${spec.node} ${spec.cidr}`);
}

const stateOf = ({ spec }: IpPool): string =>
  spec.disabled === true ? 'disabled' : spec.assignmentMode === 'Manual' ? 'manual' : 'in service';

function aboutAddress(ip: Ip, { pools, blocks, reservations, views, pods }: IpamWorld): string {
  const pool = pools.find(({ spec }) => cidrContains(spec.cidr, ip))?.metadata.name;
  const block = blocks.find(({ spec }) => cidrContains(spec.cidr, ip))?.spec;
  const lines = [
    `${ip}: ${pool === undefined ? 'in no pool' : `pool ${pool}`}`,
    block === undefined ? 'block: of nobody' : `block: ${block.cidr} of node ${block.node}`,
  ];
  const holders = views.flatMap(({ node, assignments }) =>
    assignments.filter(({ assignment }) => assignment.ips.includes(ip)).map((each) => ({ node, ...each.assignment })),
  );
  for (const { node, namespace, pod, handle, hostIfName, state, assignedAt } of holders) {
    lines.push(`assigned: to pod ${namespace}/${pod} on node ${node} since ${assignedAt}, ${state}`);
    lines.push(`handle: ${handle}`, `link: ${hostIfName}`);
  }
  if (holders.length === 0) {
    const isTold = block === undefined || views.some(({ node }) => node === block.node);
    lines.push(`assigned: ${isTold ? 'to nobody' : `unknown, the agent of node ${block.node} does not answer`}`);
  }
  for (const { node } of views.filter(({ keptOut }) => keptOut.includes(ip))) {
    lines.push(`kept out: something on node ${node} has it without an assignment`);
  }
  for (const { metadata, spec } of reservations) {
    if (spec.reservedCIDRs?.some((cidr) => cidrContains(cidr, ip)) !== true) continue;
    lines.push(`reserved: by IPReservation ${metadata.name}, for pods that name it`);
  }
  for (const { metadata, status } of pods) {
    const told = [status?.podIP, ...(status?.podIPs?.map((each) => each.ip) ?? [])];
    if (told.includes(ip)) lines.push(`status: Pod ${metadata.namespace}/${metadata.name} says it has it`);
  }
  return lines.join('\n');
}
