// After the journal was lost: writes down the pods that the kernel has, so that they keep routes and policy, and keeps
// back the addresses of those that nobody can name.
import type { Store } from '../datastore/store.ts';
import type { Handle } from '../ipam/handle.ts';
import type { Ipam } from '../ipam/ipam.ts';
import { cidrAddress } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import { isDoomedGroup } from '../lib/linux/doomed-links.ts';
import { IF_PREFIX } from '../lib/linux/if-name.ts';
import { listLinks } from '../lib/linux/links.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import type { Log } from '../lib/log.ts';
import { type FoundLink, planAdoption } from './adopt-lost.ts';
import type { RouteDriver } from './driver/routes.ts';

/** A link whose addresses must not be handed out while it is there. */
export type HeldLink = { readonly index: number; readonly ips: readonly Ip[] };

/**
 * Does nothing when the journal knows every link of ours. The answer is the links that could not be written down.
 * @throws KernelError, StoreError, JournalError, and Error while the datastore does not have this Node
 */
export async function adoptLostEndpoints(parts: {
  readonly node: string;
  readonly store: Pick<Store, 'get' | 'list'>;
  readonly ipam: Pick<Ipam, 'assignments' | 'adopt'>;
  readonly rtnl: Rtnl;
  readonly routes: Pick<RouteDriver, 'read'>;
  readonly log: Log;
}): Promise<readonly HeldLink[]> {
  const { node, store, ipam, rtnl, routes, log } = parts;
  const known = new Set<Handle>(ipam.assignments().map(({ handle }) => handle));
  const links = findHostEnds(rtnl, routes);
  if (links.every(({ alias }) => known.has((alias ?? '') as Handle))) return [];
  // Emptied or exchanged, it would make strangers of all pods, for good.
  if ((await store.get('Node', undefined, node)) === undefined) {
    throw new Error(`Cannot believe the datastore about lost pods: it has no Node "${node}", expected this node`);
  }
  const { items: pods } = await store.list('Pod');
  const plan = planAdoption({ node, links, pods, known });
  const held = new Map<string, readonly Ip[]>();
  for (const found of plan.adopt) {
    const { handle, namespace, pod, ips, state, hostIfName } = found;
    if (ipam.adopt(found) !== undefined) {
      log.warn({ handle, namespace, pod, ips, state }, 'took up a pod of a lost journal');
    } else {
      held.set(hostIfName, ips);
      log.error({ handle, namespace, pod, ips }, 'cannot take up a pod: its address is in use');
    }
  }
  for (const { name, ips, why } of plan.unidentified) {
    held.set(name, ips);
    log.error({ link: name, ips, why }, 'a link of ours belongs to no known pod; its addresses are kept back');
  }
  return links.map(({ name, index }) => ({ index, ips: held.get(name) ?? [] })).filter(({ ips }) => ips.length > 0);
}

/**
 * Keeps the addresses of these links out until the links are gone. The answer looks whether they are, to be called when
 * a link has gone. By index: another sandbox of a pod has a link of the same name.
 */
export function keepOutWhileThere(
  held: readonly HeldLink[],
  { ipam, rtnl }: { readonly ipam: Pick<Ipam, 'keepOut'>; readonly rtnl: Rtnl },
): () => void {
  let left = held;
  ipam.keepOut(left.flatMap(({ ips }) => ips));
  return () => {
    if (left.length === 0) return;
    const present = new Set(listLinks(rtnl).map(({ index }) => index));
    left = left.filter(({ index }) => present.has(index));
    ipam.keepOut(left.flatMap(({ ips }) => ips));
  };
}

/** Host ends of ours that are not being deleted, with the addresses that the kernel routes to them. @throws KernelError */
export function findHostEnds(
  rtnl: Rtnl,
  routes: Pick<RouteDriver, 'read'>,
): readonly (FoundLink & { readonly index: number })[] {
  const endpointRoutes = [...routes.read().values()].filter(({ type, oif }) => type === 'unicast' && oif !== undefined);
  return listLinks(rtnl)
    .filter(({ name, kind, group }) => name.startsWith(IF_PREFIX) && kind === 'veth' && !isDoomedGroup(group))
    .map(({ name, alias, index }) => ({
      name,
      alias,
      index,
      ips: endpointRoutes.filter(({ oif }) => oif === index).map(({ dst }) => cidrAddress(dst)),
    }));
}
