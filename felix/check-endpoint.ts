// CHECK of one endpoint against the kernel as it is now, not as the drivers remember it. Reading the table is what costs,
// so that it is not read again as long as nobody has changed anything in nf_tables.
import type { Attachment, Endpoints } from '../cni/attachment.ts';
import type { NftObject, Ruleset } from '../lib/nftables/ast.ts';
import { sameObject } from '../lib/nftables/same.ts';
import type { NftDriver } from './driver/nftables.ts';
import type { RouteDriver } from './driver/routes.ts';
import type { Model } from './model/model.ts';
import { hostRoute } from './model/route.ts';

/** How long a table is kept for the next CHECK, in milliseconds; a large one takes megabytes. */
const KEEP_MS = 2000;

/** The answer is what is missing or different, in words; empty: all is well. It throws KernelError. */
export function createEndpointCheck(parts: {
  readonly model: Pick<Model, 'endpoints' | 'explainEndpoint' | 'explainHooks' | 'nftObjects'>;
  readonly nft: Pick<NftDriver, 'read'>;
  /** Of nf_tables in this namespace: another number after each change of anybody. */
  readonly generation: () => number;
  readonly routes: Pick<RouteDriver, 'read'>;
}): Endpoints['check'] {
  const { model, nft, generation, routes } = parts;
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
    const kernelRoutes = routes.read();
    const unreached = attachment.ips.filter((ip) => kernelRoutes.get(hostRoute(ip))?.type !== 'unicast');
    return [
      ...differing.map((key) => `nftables "${key}" is missing or changed`),
      ...unreached.map((ip) => `route to "${ip}" is missing`),
    ];
  };
}

const isSame = (found: NftObject | undefined, wanted: NftObject | undefined): boolean =>
  found !== undefined && wanted !== undefined && sameObject(found, wanted);
