// CHECK of one endpoint against the kernel as it is now, not as the drivers remember it. Reading the table is what costs,
// so that it is not read again as long as nobody has changed anything in nf_tables.
import type { Attachment, Endpoints } from '../cni/attachment.ts';
import type { Ip } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import type { Route } from '../lib/linux/routes.ts';
import type { NftObject, Ruleset } from '../lib/nftables/ast.ts';
import { sameObject } from '../lib/nftables/same.ts';
import type { NftDriver } from './driver/nftables.ts';
import type { Model } from './model/model.ts';
import { hostRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from './model/route.ts';

/** How long a table is kept for the next CHECK, in milliseconds; a large one takes megabytes. */
const KEEP_MS = 2000;

/** The answer is what is missing or different, in words; empty: all is well. It throws KernelError. */
export function createEndpointCheck(parts: {
  readonly model: Pick<Model, 'endpoints' | 'explainEndpoint' | 'explainHooks' | 'nftObjects'>;
  readonly nft: Pick<NftDriver, 'read'>;
  /** Of nf_tables in this namespace: another number after each change of anybody. */
  readonly generation: () => number;
  /** The route that packets to an address take; `undefined`: none. */
  readonly routeTo: (ip: Ip) => Route | undefined;
  readonly linkIndex: (name: IfName) => number | undefined;
}): Endpoints['check'] {
  const { model, nft, generation, routeTo, linkIndex } = parts;
  let kept: { readonly generation: number; readonly table: Ruleset | undefined } | undefined;
  let timer: NodeJS.Timeout | undefined;

  const table = (): Ruleset | undefined => {
    const now = generation();
    // Asked before reading: what changes meanwhile has the next one read again.
    if (kept?.generation !== now) kept = { generation: now, table: nft.read() };
    clearTimeout(timer);
    timer = setTimeout(() => {
      kept = undefined;
    }, KEEP_MS).unref();
    return kept.table;
  };

  return (attachment: Attachment) => {
    const endpoint = model.endpoints().find(({ ifName }) => ifName === attachment.hostIfName);
    if (endpoint === undefined) return [`interface "${attachment.hostIfName}" is not known to the agent`];
    const objects = table()?.objects;
    const wanted = model.nftObjects();
    // The generation in the base chains too: what they let pass unjudged, no profile ever sees.
    const rules = new Set([...model.explainHooks(), ...model.explainEndpoint(endpoint)]);
    const differing = [...rules].filter((key) => !isSame(objects?.get(key), wanted.get(key)));
    const { hostIfName, ips } = attachment;
    const oif = linkIndex(hostIfName);
    return [
      ...differing.map((key) => `nftables "${key}" is missing or changed`),
      ...ips.flatMap((ip) => routeDifference(ip, routeTo(ip), { hostIfName, oif }) ?? []),
    ];
  };
}

const isSame = (found: NftObject | undefined, wanted: NftObject | undefined): boolean =>
  found !== undefined && wanted !== undefined && sameObject(found, wanted);

// Not whether ours is there, but whether it is the one that counts: one of others with a lower metric, or in another table
// that comes first, takes the packets away.
function routeDifference(
  ip: Ip,
  found: Route | undefined,
  { hostIfName, oif }: { readonly hostIfName: IfName; readonly oif: number | undefined },
): string | undefined {
  if (found === undefined) return `route to "${ip}" is missing`;
  const { dst, protocol, metric } = found;
  if (dst !== hostRoute(ip)) return `route to "${ip}" is missing, or comes second to ${dst} of protocol ${protocol}`;
  if (protocol !== ROUTE_PROTOCOL || metric !== ROUTE_METRIC) {
    return `route to "${ip}" that counts is of protocol ${protocol} with metric ${metric}, expected Margay's of protocol ${ROUTE_PROTOCOL} with metric ${ROUTE_METRIC}`;
  }
  // A route with several ways has no link of its own, and no link that is gone leads anywhere.
  if (oif === undefined) return `route to "${ip}" cannot lead to "${hostIfName}": there is no such link`;
  if (found.oif !== oif) {
    return `route to "${ip}" leads to ${found.oif === undefined ? 'several links' : `link ${found.oif}`}, expected "${hostIfName}"`;
  }
  return undefined;
}
