// projectcalico.org/v3 BGPPeer: a peer of one node, of the nodes of a selector, or of all nodes. The peer is an address,
// the nodes of another selector, or the node's default gateway.
import { z } from 'zod';
import { bgpPeerConflicts } from './bgp-peer-conflicts.ts';
import { millisecondsSchema, secondsSchema } from './duration.ts';
import { metadataSchema } from './metadata.ts';
import { peerIpSchema } from './peer-ip.ts';
import { asnSchema, cidrSchema, ipSchema, selectorSchema } from './scalars.ts';
import { bgpPasswordSchema } from './secret-ref.ts';

const fieldsSchema = z.looseObject({
  /** Name of the node that has this peer. Neither `node` nor `nodeSelector`: all nodes. */
  node: z.string().exactOptional(),
  /** Calico selector over node labels; excludes `node`. */
  nodeSelector: selectorSchema.exactOptional(),
  /** `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`. Without a port: that of the node with this address, or 179. */
  peerIP: peerIpSchema.exactOptional(),
  /** Of the peer; goes with `peerIP` and `autoDiscovery`. */
  asNumber: asnSchema.exactOptional(),
  /** Calico selector over node labels: the nodes that are the peers; excludes `peerIP` and `asNumber`. */
  peerSelector: selectorSchema.exactOptional(),
  /** Whether the nodes of `peerSelector` have the session too. Absent: Auto. */
  reversePeering: z.enum(['Auto', 'Manual']).exactOptional(),
  /** The AS number that this side claims. Absent: that of the node. */
  localASNumber: asnSchema.exactOptional(),
  /** Key of a Secret with the TCP MD5 password (RFC 2385). */
  password: bgpPasswordSchema.exactOptional(),
  /** `UseNodeIP` (when absent, too): the session starts at the node's address; `None`: where the kernel chooses. */
  sourceAddress: z.enum(['UseNodeIP', 'None']).exactOptional(),
  /** Next hop of what is passed on. `Self`: this node; `Keep`: as learned; Auto, when absent too: `Self` to another AS. */
  nextHopMode: z.enum(['Auto', 'Self', 'Keep']).exactOptional(),
  /** The older way to say `nextHopMode: Keep`. */
  keepOriginalNextHop: z.boolean().exactOptional(),
  /** Longest time that paths of the restarting peer are kept. Absent: 120 s. */
  maxRestartTime: secondsSchema(1, 4095).exactOptional(),
  /** Absent: 30 s, or a third of `holdTime`. */
  keepaliveTime: secondsSchema(1, 21_845).exactOptional(),
  /** RFC 5082: how many hops away the peer may be. */
  ttlSecurity: z.int().min(1).max(254).exactOptional(),
  /** How often the own AS may stand in the path of an imported route. */
  numAllowedLocalASNumbers: z.int().min(0).max(10).exactOptional(),
  /** The gateway that leads to the peer: a host route to the peer is made through it. */
  reachableBy: ipSchema.exactOptional(),
  /** Names of BGPFilter objects, in order. */
  filters: z.array(z.string().min(1)).exactOptional(),
  /** Not supported. */
  localWorkloadSelector: z.unknown().exactOptional(),

  // What follows is Margay's own.

  /** RFC 4271 section 4.2. Absent: three times `keepaliveTime`. */
  holdTime: secondsSchema(3, 65_535).exactOptional(),
  /** Time between two attempts to connect. Absent: 5 s. */
  connectRetry: secondsSchema(1, 65_535).exactOptional(),
  /** RFC 5880; needs gobgpd 4.5. Takes the place of graceful restart. */
  bfd: z
    .looseObject({
      /** Absent: 300 ms. */
      receiveInterval: millisecondsSchema(10, 60_000).exactOptional(),
      /** Absent: 300 ms. */
      transmitInterval: millisecondsSchema(10, 60_000).exactOptional(),
      /** How many packets may be missed. Absent: 3. */
      detectMultiplier: z.int().min(1).max(255).exactOptional(),
    })
    .exactOptional(),
  /** Prefixes of one family that the peer may send; more end the session. Absent: 50000 from a node, 1000 from others. */
  maxPrefixes: z.int().min(1).max(4_294_967_295).exactOptional(),
  /** Ranges outside the pools from which routes of this peer are taken. `0.0.0.0/0` takes the default route too. */
  importCIDRs: z.array(cidrSchema).exactOptional(),
  /** RFC 4724. */
  gracefulRestart: z
    .looseObject({
      /** Absent: true. */
      enabled: z.boolean().exactOptional(),
      /** The same as `maxRestartTime`. */
      restartTime: secondsSchema(1, 4095).exactOptional(),
      /** How long a restarted gobgpd waits for its peers before it advertises. Absent: 15 s. */
      deferralTime: secondsSchema(1, 4095).exactOptional(),
    })
    .exactOptional(),
  /** How many hops away a peer of another AS may be. Absent: on the same link, unless `reachableBy` is given. */
  ebgpMultihop: z.int().min(2).max(255).exactOptional(),
  /** The peer is the node's default gateway; in place of `peerIP`. */
  autoDiscovery: z
    .looseObject({
      mode: z.enum(['DefaultGateway']),
      /** Absent: ipv4. */
      addressFamily: z.enum(['ipv4', 'ipv6']).exactOptional(),
    })
    .exactOptional(),
});

export type BgpPeerSpec = z.output<typeof fieldsSchema>;

const specSchema = fieldsSchema.check((context) => {
  for (const { field, message } of bgpPeerConflicts(context.value)) {
    context.issues.push({ code: 'custom', message, path: [field], input: undefined });
  }
});

export const bgpPeerSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('BGPPeer'),
  metadata: metadataSchema,
  spec: specSchema,
});

export type BgpPeer = z.output<typeof bgpPeerSchema>;
