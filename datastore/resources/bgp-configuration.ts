// projectcalico.org/v3 BGPConfiguration: `default` for all nodes, `node.NAME` for what differs on one of them.
import { z } from 'zod';
import { communitySchema, isCommunity } from './community.ts';
import { durationMs, secondsSchema } from './duration.ts';
import { metadataSchema } from './metadata.ts';
import { asnSchema, cidrSchema, portSchema, selectorSchema } from './scalars.ts';
import { bgpPasswordSchema } from './secret-ref.ts';

const cidrList = z.array(z.looseObject({ cidr: cidrSchema })).exactOptional();

const communityOrName = z.string().check((context) => {
  const text = context.value;
  if (!/^[\d:]+$/.test(text) ? text !== '' : isCommunity(text)) return;
  const message = `"${text}" is neither a community nor the name of one, expected such as "64512:100"`;
  context.issues.push({ code: 'custom', message, input: text });
});

const specSchema = z.looseObject({
  /** Absent: 64512. Of one node: its annotation `projectcalico.org/ASNumber` outranks it. */
  asNumber: asnSchema.exactOptional(),
  /** Absent: true. A session needs it of both nodes. */
  nodeToNodeMeshEnabled: z.boolean().exactOptional(),
  /** TCP MD5 password of all mesh sessions. */
  nodeMeshPassword: bgpPasswordSchema.exactOptional(),
  /** Longest time that paths of a restarting mesh peer are kept. Absent: 120 s. */
  nodeMeshMaxRestartTime: secondsSchema(1, 4095).exactOptional(),
  /** Absent: 179. */
  listenPort: portSchema.exactOptional(),
  /** `NodeIP` (when absent, too): sessions come in at the node's BGP addresses; `None`: at every address. */
  bindMode: z.enum(['None', 'NodeIP']).exactOptional(),
  /** Service address ranges to advertise. Absent: none. */
  serviceClusterIPs: cidrList,
  serviceExternalIPs: cidrList,
  serviceLoadBalancerIPs: cidrList,
  /** Whether load balancer ranges go out whole rather than address by address. Absent: Enabled. */
  serviceLoadBalancerAggregation: z.enum(['Enabled', 'Disabled']).exactOptional(),
  /** Names for community values, for use in `prefixAdvertisements`. */
  communities: z.array(z.looseObject({ name: z.string().min(1), value: communitySchema })).exactOptional(),
  /** Communities (by value or by name) that paths inside a range carry. */
  prefixAdvertisements: z
    .array(z.looseObject({ cidr: cidrSchema, communities: z.array(communityOrName).exactOptional() }))
    .exactOptional(),
  /** For Calico, which would export their subnets; here no interface's subnet is exported. */
  ignoredInterfaces: z.array(z.string().min(1)).exactOptional(),
  /** For Calico's own routes; what is learned reaches the kernel here in any case. */
  programClusterRoutes: z.enum(['Enabled', 'EnabledNoEncapOnly', 'EnabledIPIPOnly', 'Disabled']).exactOptional(),
  /** Margay's: the controller chooses route reflectors among the nodes. Absent: it chooses none. */
  routeReflectors: z
    .looseObject({
      /** For each zone (label `topology.kubernetes.io/zone`), those with an annotation of a user counted. */
      perZone: z.int().min(1).max(16),
      /** Calico selector over the labels of nodes that may be chosen. Absent: all nodes. */
      nodeSelector: selectorSchema.exactOptional(),
    })
    .exactOptional(),
  /** Margay's: of mesh sessions. Absent: 30 s, or a third of `holdTime`. */
  keepaliveTime: secondsSchema(1, 21_845).exactOptional(),
  /** Margay's: of mesh sessions. Absent: three times `keepaliveTime`. */
  holdTime: secondsSchema(3, 65_535).exactOptional(),
});

/** What nodes can only have in common. */
const OF_ALL_NODES = [
  'nodeMeshPassword',
  'routeReflectors',
  'serviceClusterIPs',
  'serviceExternalIPs',
  'serviceLoadBalancerIPs',
  'serviceLoadBalancerAggregation',
] as const;

export const bgpConfigurationSchema = z
  .looseObject({
    apiVersion: z.literal('projectcalico.org/v3'),
    kind: z.literal('BGPConfiguration'),
    metadata: metadataSchema,
    spec: specSchema,
  })
  .check((context) => {
    const { metadata, spec } = context.value;
    const refuse = (path: readonly PropertyKey[], message: string): void => {
      context.issues.push({ code: 'custom', message, path: [...path], input: undefined });
    };
    const ofNode = nodeOfConfiguration(metadata.name) !== undefined;
    if (metadata.name !== BGP_CONFIGURATION_NAME && !ofNode) {
      refuse(['metadata', 'name'], `"${metadata.name}" is read by nobody, expected "default" or "node.NAME"`);
    }
    for (const field of OF_ALL_NODES) {
      if (ofNode && spec[field] !== undefined) refuse(['spec', field], 'is of one node, expected it in "default"');
    }
    const [keepalive, hold] = [spec.keepaliveTime, spec.holdTime];
    if (keepalive !== undefined && hold !== undefined && (durationMs(hold) ?? 0) <= (durationMs(keepalive) ?? 0)) {
      refuse(['spec', 'holdTime'], `"${hold}" does not outlast keepaliveTime "${keepalive}", expected a longer time`);
    }
  });

export type BgpConfiguration = z.output<typeof bgpConfigurationSchema>;

export const BGP_CONFIGURATION_NAME = 'default';

/** The node that an object named `node.NAME` is for; `undefined` for any other name. */
export const nodeOfConfiguration = (name: string): string | undefined => /^node\.(.+)$/.exec(name)?.[1];
