// What the policies say about a connection: the one place of the lab that asks the policy oracle.
import type { Kind, Resource } from '../datastore/resources/index.ts';
import type { Store } from '../datastore/store.ts';
import { parseIp } from '../lib/ip.ts';
import { unwrap } from '../lib/result.ts';
import { convertWorld } from '../policy/convert/world.ts';
import { type PacketEnd, verdict, type World } from '../policy/oracle.ts';
import { podKey } from '../policy/world.ts';
import type { Access } from './cell.ts';

const RELEVANT = [
  'Namespace',
  'Node',
  'Pod',
  'NetworkPolicy',
  'ClusterNetworkPolicy',
] as const satisfies readonly Kind[];

/** The objects that decide about connections. */
export async function readRelevant(store: Store): Promise<readonly Resource[]> {
  const lists = await Promise.all(RELEVANT.map((kind) => store.list(kind)));
  return lists.flatMap(({ items }): readonly Resource[] => items);
}

export const worldOf = (resources: Iterable<Resource>): World => convertWorld(resources);

export type Connection = {
  /** `namespace/pod` or an address. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
};

export function expectedOutcome(world: World, { from, to, port, protocol }: Connection): Access {
  const { allowed } = verdict(world, {
    from: endOf(from),
    to: endOf(to),
    protocol: protocol === 'TCP' ? 'tcp' : 'udp',
    port,
  });
  return allowed ? 'allow' : 'deny';
}

function endOf(text: string): PacketEnd {
  const [namespace = '', name] = text.split('/');
  return name === undefined ? { ip: unwrap(parseIp(namespace)) } : { pod: podKey(namespace, name) };
}
