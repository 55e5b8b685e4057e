// v1 Node to the facts that policy depends on.
import type { Node } from '../../datastore/resources/node.ts';
import { parseIp } from '../../lib/ip.ts';
import type { NodeFacts } from '../world.ts';

/** Facts of a node. Addresses that are names, such as its hostname, are passed over. */
export const convertNode = ({ metadata, status }: Node): NodeFacts => ({
  labels: metadata.labels ?? {},
  ips: (status?.addresses ?? []).flatMap(({ address }) => {
    const ip = parseIp(address);
    return ip.ok ? [ip.value] : [];
  }),
});
