// policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy, with the validation of its CRD (kubernetes-sigs
// network-policy-api, apis/v1alpha2). Peers and protocols of a kind that is not known here are kept: a newer CRD may
// have them, and the converter treats their rules as closed. So is a peer without any field, which is how they look to
// an older reader.
import { z } from 'zod';
import { labelSelectorSchema, metadataSchema } from './metadata.ts';
import { cidrSchema, portNameSchema, portSchema } from './scalars.ts';

/** Most rules of a direction, peers and protocols of a rule, networks and domain names of a peer. */
const MOST = 25;

const podsSchema = z.looseObject({
  namespaceSelector: labelSelectorSchema.default({}),
  podSelector: labelSelectorSchema,
});

const subjectSchema = z
  .looseObject({ namespaces: labelSelectorSchema.exactOptional(), pods: podsSchema.exactOptional() })
  .check(fields('exactly one', 'namespaces', 'pods'));

const portMatchSchema = z.looseObject({
  destinationPort: z
    .looseObject({
      number: portSchema.exactOptional(),
      range: z
        .looseObject({ start: portSchema, end: portSchema })
        .check((context) => {
          const { start, end } = context.value;
          if (start < end) return;
          const message = `${end} is not above start ${start}, expected at least ${start + 1}`;
          context.issues.push({ code: 'custom', message, path: ['end'], input: end });
        })
        .exactOptional(),
    })
    .check(fields('at most one', 'number', 'range'))
    .exactOptional(),
});

const protocolSchema = z
  .looseObject({
    tcp: portMatchSchema.exactOptional(),
    udp: portMatchSchema.exactOptional(),
    sctp: portMatchSchema.exactOptional(),
    destinationNamedPort: portNameSchema.exactOptional(),
  })
  .check(fields('at most one', 'tcp', 'udp', 'sctp', 'destinationNamedPort'));

const ingressPeerSchema = z
  .looseObject({ namespaces: labelSelectorSchema.exactOptional(), pods: podsSchema.exactOptional() })
  .check(fields('at most one', 'namespaces', 'pods'));

/** A DNS name, possibly with `*.` in front. */
const domainNameSchema = z
  .string()
  .regex(
    /^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$/,
    'expected a domain name such as "example.org" or "*.example.org"',
  );

const egressPeerSchema = z
  .looseObject({
    namespaces: labelSelectorSchema.exactOptional(),
    pods: podsSchema.exactOptional(),
    nodes: labelSelectorSchema.exactOptional(),
    networks: z.array(cidrSchema).min(1).max(MOST).exactOptional(),
    domainNames: z.array(domainNameSchema).min(1).max(MOST).exactOptional(),
  })
  .check(fields('at most one', 'namespaces', 'pods', 'nodes', 'networks', 'domainNames'));

const ruleShape = {
  name: z.string().max(100).exactOptional(),
  action: z.enum(['Accept', 'Deny', 'Pass']),
  protocols: z.array(protocolSchema).min(1).max(MOST).exactOptional(),
};

const ingressRuleSchema = z.looseObject({ ...ruleShape, from: z.array(ingressPeerSchema).min(1).max(MOST) });

const egressRuleSchema = z
  .looseObject({ ...ruleShape, to: z.array(egressPeerSchema).min(1).max(MOST) })
  .check((context) => {
    const { to, protocols = [] } = context.value;
    const named = protocols.findIndex(({ destinationNamedPort }) => destinationNamedPort !== undefined);
    const nameless = to.some(({ networks, nodes, domainNames }) => (networks ?? nodes ?? domainNames) !== undefined);
    if (named < 0 || !nameless) return;
    const message = 'stands beside networks, nodes or domainNames, which name no ports, expected a number or range';
    context.issues.push({ code: 'custom', message, path: ['protocols', named, 'destinationNamedPort'], input: to });
  });

export const clusterNetworkPolicySchema = z.looseObject({
  apiVersion: z.literal('policy.networking.k8s.io/v1alpha2'),
  kind: z.literal('ClusterNetworkPolicy'),
  metadata: metadataSchema,
  spec: z.looseObject({
    tier: z.enum(['Admin', 'Baseline']),
    priority: z.int().min(0, 'expected 0 to 1000').max(1000, 'expected 0 to 1000'),
    subject: subjectSchema,
    ingress: z.array(ingressRuleSchema).max(MOST).exactOptional(),
    egress: z.array(egressRuleSchema).max(MOST).exactOptional(),
  }),
});

export type ClusterNetworkPolicy = z.output<typeof clusterNetworkPolicySchema>;
export type ClusterNetworkPolicyIngressPeer = z.output<typeof ingressPeerSchema>;
export type ClusterNetworkPolicyEgressPeer = z.output<typeof egressPeerSchema>;
export type ClusterNetworkPolicyProtocol = z.output<typeof protocolSchema>;

/** How many of the named fields an object may have. */
function fields<K extends string>(
  count: 'exactly one' | 'at most one',
  ...names: readonly K[]
): z.core.CheckFn<{ readonly [P in K]?: unknown }> {
  return (context) => {
    const given = names.filter((name) => context.value[name] !== undefined);
    if (given.length === 1 || (given.length === 0 && count === 'at most one')) return;
    const what = given.length === 0 ? 'is empty' : `${given.join(' stands beside ')}`;
    const message = `${what}, expected one of ${names.join(', ')}`;
    context.issues.push({ code: 'custom', message, input: context.value });
  };
}
