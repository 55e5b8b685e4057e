// What `margay ipam show` knows of pools, blocks and single addresses. Travels as JSON; a key that is absent is not known.
import { blockSizeOf, type IpPool } from '../../datastore/resources/ip-pool.ts';
import { podIps } from '../../datastore/resources/pod.ts';
import { unfit } from '../../ipam/model/choose-pools.ts';
import { type Cidr, cidrAddress, cidrContains, cidrLength, cidrSize } from '../../lib/cidr.ts';
import { compareIp, type Ip } from '../../lib/ip.ts';
import type { IpamWorld } from './world.ts';

export type PoolUse = {
  readonly name: string;
  readonly cidr: Cidr;
  readonly addresses: number;
  readonly blocks: number;
  readonly mostBlocks: number;
  /** Absent: an agent did not answer. */
  readonly used?: number;
  readonly state: 'in service' | 'disabled' | 'manual' | 'out of service';
  /** Of what is out of service without being disabled. */
  readonly why?: string;
};

export function poolUses(world: IpamWorld): readonly PoolUse[] {
  const uses = blockUses(world);
  return world.pools.map((pool) => {
    const { name } = pool.metadata;
    const { cidr } = pool.spec;
    const blocks = uses.filter((block) => block.pool === name);
    const known = blocks.flatMap(({ used }) => (used === undefined ? [] : [used]));
    return {
      ...{ name, cidr, addresses: Number(cidrSize(cidr)), blocks: blocks.length },
      mostBlocks: 2 ** (blockSizeOf(pool) - cidrLength(cidr)),
      ...(known.length < blocks.length ? {} : { used: known.reduce((sum, used) => sum + used, 0) }),
      ...stateOf(pool, world.pools),
    };
  });
}

export type BlockUse = {
  readonly cidr: Cidr;
  readonly pool: string;
  readonly node: string;
  readonly addresses: number;
  /** Both absent: the agent did not answer. */
  readonly used?: number;
  readonly cooling?: number;
};

/** `pool`: of this one alone. */
export function blockUses({ blocks, views }: IpamWorld, pool?: string): readonly BlockUse[] {
  // By node too: an agent may be of another cluster.
  const said = views.flatMap(({ node, blocks: own }) => own.map((block) => [`${node} ${block.cidr}`, block] as const));
  const uses = new Map(said);
  return blocks
    .filter(({ spec }) => pool === undefined || spec.pool === pool)
    .toSorted((a, b) => compareIp(cidrAddress(a.spec.cidr), cidrAddress(b.spec.cidr)))
    .map(({ spec }) => {
      const use = uses.get(`${spec.node} ${spec.cidr}`);
      return {
        ...{ cidr: spec.cidr, pool: spec.pool, node: spec.node, addresses: Number(cidrSize(spec.cidr)) },
        ...(use === undefined ? {} : { used: use.used, cooling: use.cooling }),
      };
    });
}

export type AddressUse = ReturnType<typeof addressUse>;

export function addressUse(ip: Ip, { pools, blocks, reservations, views, pods }: IpamWorld) {
  const pool = pools.find(({ spec }) => cidrContains(spec.cidr, ip))?.metadata.name;
  const block = blocks.find(({ spec }) => cidrContains(spec.cidr, ip))?.spec;
  return {
    ip,
    ...(pool === undefined ? {} : { pool }),
    ...(block === undefined ? {} : { block: { cidr: block.cidr, node: block.node } }),
    /** False: the agent of the block's node did not answer. */
    answered: block === undefined || views.some(({ node }) => node === block.node),
    assignments: views.flatMap(({ node, assignments }) =>
      assignments.filter(({ assignment }) => assignment.ips.includes(ip)).map((each) => ({ node, ...each.assignment })),
    ),
    /** Nodes by name. */
    coolingOn: views.filter(({ resting }) => resting.includes(ip)).map(({ node }) => node),
    keptOutOn: views.filter(({ keptOut }) => keptOut.includes(ip)).map(({ node }) => node),
    reservedBy: reservations
      .filter(({ spec }) => spec.reservedCIDRs?.some((cidr) => cidrContains(cidr, ip)) === true)
      .map(({ metadata }) => metadata.name),
    /** Pods whose status says that they have it. */
    toldBy: pods
      .filter((pod) => podIps(pod).includes(ip))
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  };
}

function stateOf(pool: IpPool, pools: readonly IpPool[]): Pick<PoolUse, 'state' | 'why'> {
  if (pool.spec.disabled === true) return { state: 'disabled' };
  const why = unfit(pool, pools);
  if (why !== undefined) return { state: 'out of service', why };
  return { state: pool.spec.assignmentMode === 'Manual' ? 'manual' : 'in service' };
}
