// `margay ipam show`: how full pools and blocks are, or who has an address.
import type { Command } from 'commander';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { printTable } from './print-table.ts';
import { type AddressUse, addressUse, type BlockUse, blockUses, type PoolUse, poolUses } from './uses.ts';
import { type IpamOptions, readIpamWorld, withIpamOptions, withStore } from './world.ts';

export function registerIpamShow(ipam: Command): void {
  const command = ipam
    .command('show [ip]')
    .description('print how full pools are, their blocks, or who has an address')
    .option('--blocks', 'print blocks instead of pools')
    .option('--pool <name>', 'print the blocks of this pool alone')
    .option('--json', 'print one JSON document; what is not known is absent');
  withIpamOptions(command).action(show);
}

type ShowOptions = IpamOptions & { readonly blocks?: true; readonly pool?: string; readonly json?: true };

async function show(ip: string | undefined, { blocks, pool, json, ...options }: ShowOptions): Promise<void> {
  const address = ip === undefined ? undefined : unwrap(parseIp(ip));
  const world = await withStore(options, (store) => readIpamWorld(store, options));
  for (const why of world.silent) console.error(`margay: ${why}`);
  if (pool !== undefined && !world.pools.some(({ metadata }) => metadata.name === pool)) {
    const names = world.pools.map(({ metadata }) => metadata.name).join(', ');
    throw new Error(`Cannot find IPPool "${pool}": is not there, expected one of ${names || 'none'}`);
  }
  const print = <T>(found: T, asText: (found: T) => string): void =>
    console.log(json === true ? JSON.stringify(found, undefined, 2) : asText(found));
  if (address !== undefined) print(addressUse(address, world), aboutAddress);
  else if (blocks === true || pool !== undefined) print(blockUses(world, pool), blockTable);
  else print(poolUses(world), poolTable);
}

const poolTable = (pools: readonly PoolUse[]): string =>
  printTable([
    ['POOL', 'CIDR', 'ADDRESSES', 'BLOCKS', 'IN USE', 'STATE'],
    ...pools.map(({ name, cidr, addresses, blocks, mostBlocks, used, state, why }) => [
      ...[
        name,
        cidr,
        `${BigInt(addresses)}`,
        `${blocks} of ${BigInt(mostBlocks)}`,
        orUnknown(used),
        why === undefined ? state : `${state}: ${why}`,
      ],
    ]),
  ]);

const blockTable = (blocks: readonly BlockUse[]): string =>
  printTable([
    ['BLOCK', 'POOL', 'NODE', 'ADDRESSES', 'IN USE', 'COOLING'],
    ...blocks.map(({ cidr, pool, node, addresses, used, cooling }) => [
      ...[cidr, pool, node, `${BigInt(addresses)}`, orUnknown(used), orUnknown(cooling)],
    ]),
  ]);

const orUnknown = (count: number | undefined): string => (count === undefined ? 'unknown' : `${count}`);

function aboutAddress(found: AddressUse): string {
  const { ip, pool, block, answered, assignments, coolingOn, keptOutOn, reservedBy, toldBy } = found;
  const lines = [
    `${ip}: ${pool === undefined ? 'in no pool' : `pool ${pool}`}`,
    block === undefined ? 'block: of nobody' : `block: ${block.cidr} of node ${block.node}`,
  ];
  for (const { node, namespace, pod, handle, hostIfName, state, assignedAt } of assignments) {
    lines.push(`assigned: to pod ${namespace}/${pod} on node ${node} since ${assignedAt}, ${state}`);
    lines.push(`handle: ${handle}`, `link: ${hostIfName}`);
  }
  if (assignments.length === 0) {
    lines.push(`assigned: ${answered ? 'to nobody' : `unknown, the agent of node ${block?.node} does not answer`}`);
  }
  for (const node of coolingOn) {
    lines.push(`cooling: a pod on node ${node} had it until lately, others get it when it has cooled down`);
  }
  for (const node of keptOutOn) lines.push(`kept out: something on node ${node} has it without an assignment`);
  for (const name of reservedBy) lines.push(`reserved: by IPReservation ${name}, for pods that name it`);
  for (const pod of toldBy) lines.push(`status: Pod ${pod} says it has it`);
  return lines.join('\n');
}
