// projectcalico.org/v3 BGPPeer: a peer of one node, of the nodes of a selector, or of all nodes.
import { z } from 'zod';
import { parseIp } from '../../lib/ip.ts';
import { metadataSchema } from './metadata.ts';
import { asnSchema, durationSchema } from './scalars.ts';

/** `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`; stays text, because it names a port too. */
const peerIpSchema = z.string().check((context) => {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(context.value);
  const address = match?.[1] ?? match?.[2] ?? context.value;
  const port = match === null ? 1 : Number(match[3]);
  if (parseIp(address).ok && port >= 1 && port <= 65535) return;
  const message = `"${context.value}" is not a peer address, expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT`;
  context.issues.push({ code: 'custom', message, input: context.value });
});

const specSchema = z
  .looseObject({
    /** Name of the node that has this peer. Neither `node` nor `nodeSelector`: all nodes. */
    node: z.string().exactOptional(),
    /** Calico selector over node labels; excludes `node`. */
    nodeSelector: z.string().exactOptional(),
    /** `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`. */
    peerIP: peerIpSchema,
    asNumber: asnSchema,
    keepaliveTime: durationSchema.exactOptional(),
    /** Longest time that paths of the restarting peer are kept. */
    maxRestartTime: durationSchema.exactOptional(),
    /** Key of a Secret with the TCP MD5 password. */
    password: z.looseObject({ secretKeyRef: z.looseObject({ name: z.string(), key: z.string() }) }).exactOptional(),
    /** `UseNodeIP`: the session starts at the node's address; `None`: where the kernel chooses. */
    sourceAddress: z.enum(['UseNodeIP', 'None']).exactOptional(),
    /** Export paths with the next hop that they came with. */
    keepOriginalNextHop: z.boolean().exactOptional(),
    /** How often the own AS may stand in the path of an imported route. */
    numAllowedLocalASNumbers: z.int().min(0).max(10).exactOptional(),
    /** Names of BGPFilter objects, in order. */
    filters: z.array(z.string()).exactOptional(),
  })
  .check((context) => {
    const { node, nodeSelector } = context.value;
    if (node === undefined || nodeSelector === undefined) return;
    const message = `"${nodeSelector}" stands beside node "${node}", expected one of them`;
    context.issues.push({ code: 'custom', message, path: ['nodeSelector'], input: nodeSelector });
  });

export const bgpPeerSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('BGPPeer'),
  metadata: metadataSchema,
  spec: specSchema,
});

export type BgpPeer = z.output<typeof bgpPeerSchema>;
