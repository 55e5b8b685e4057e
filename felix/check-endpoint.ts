// CHECK of one endpoint against the kernel as it is now, not as the drivers remember it.
import { isDeepStrictEqual } from 'node:util';
import type { Attachment } from '../cni/attachment.ts';
import type { NftDriver } from './driver/nftables.ts';
import type { RouteDriver } from './driver/routes.ts';
import type { Model } from './model/model.ts';
import { hostRoute } from './model/route.ts';

/** What is missing or different, in words; empty: all is well. @throws KernelError when the kernel cannot be read */
export function checkEndpoint(
  { model, nft, routes }: { readonly model: Model; readonly nft: NftDriver; readonly routes: RouteDriver },
  attachment: Attachment,
): readonly string[] {
  const endpoint = model.endpoints().find(({ ifName }) => ifName === attachment.hostIfName);
  if (endpoint === undefined) return [`interface "${attachment.hostIfName}" is not known to the agent`];
  const table = nft.read()?.objects;
  const wanted = model.nftObjects();
  const rules = model.explainEndpoint(endpoint).filter((key) => !isDeepStrictEqual(table?.get(key), wanted.get(key)));
  const kernelRoutes = routes.read();
  const unreached = attachment.ips.filter((ip) => kernelRoutes.get(hostRoute(ip))?.type !== 'unicast');
  return [
    ...rules.map((key) => `nftables "${key}" is missing or changed`),
    ...unreached.map((ip) => `route to "${ip}" is missing`),
  ];
}
