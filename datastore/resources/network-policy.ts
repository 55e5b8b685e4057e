// networking.k8s.io/v1 NetworkPolicy, with the validation of the API server (pkg/apis/networking/validation). A peer
// without a field that is known here is kept: a newer API may have others, and the converter has it match nothing.
import { z } from 'zod';
import { cidrContainsCidr } from '../../lib/cidr.ts';
import { labelSelectorSchema, namespacedMetadataSchema } from './metadata.ts';
import { cidrSchema, portNameSchema, portSchema, protocolSchema } from './scalars.ts';

const ipBlockSchema = z
  .looseObject({ cidr: cidrSchema, except: z.array(cidrSchema).exactOptional() })
  .check((context) => {
    const { cidr, except = [] } = context.value;
    for (const [index, hole] of except.entries()) {
      if (hole !== cidr && cidrContainsCidr(cidr, hole)) continue;
      context.issues.push({
        code: 'custom',
        message: `"${hole}" is not strictly inside "${cidr}", expected a part of it`,
        path: ['except', index],
        input: hole,
      });
    }
  });

const peerSchema = z
  .looseObject({
    podSelector: labelSelectorSchema.exactOptional(),
    namespaceSelector: labelSelectorSchema.exactOptional(),
    ipBlock: ipBlockSchema.exactOptional(),
  })
  .check((context) => {
    const { podSelector, namespaceSelector, ipBlock } = context.value;
    const selects = podSelector !== undefined || namespaceSelector !== undefined;
    if (ipBlock === undefined || !selects) return;
    const message = 'ipBlock stands beside a selector, expected ipBlock alone';
    context.issues.push({ code: 'custom', message, input: context.value });
  });

const policyPortSchema = z
  .looseObject({
    protocol: protocolSchema.default('TCP'),
    port: z.union([portSchema, portNameSchema], 'expected a port number or a port name').exactOptional(),
    endPort: portSchema.exactOptional(),
  })
  .check((context) => {
    const { port, endPort } = context.value;
    if (endPort === undefined) return;
    const message =
      typeof port !== 'number'
        ? `${endPort} without a numeric port, expected port to be a number`
        : endPort < port
          ? `${endPort} is below port ${port}, expected at least ${port}`
          : undefined;
    if (message !== undefined) context.issues.push({ code: 'custom', message, path: ['endPort'], input: endPort });
  });

const ports = z.array(policyPortSchema).exactOptional();
const ingressRuleSchema = z.looseObject({ from: z.array(peerSchema).exactOptional(), ports });
const egressRuleSchema = z.looseObject({ to: z.array(peerSchema).exactOptional(), ports });

export const networkPolicySchema = z.looseObject({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('NetworkPolicy'),
  metadata: namespacedMetadataSchema,
  spec: z.looseObject({
    podSelector: labelSelectorSchema.default({}),
    policyTypes: z
      .array(z.enum(['Ingress', 'Egress']))
      .max(2)
      .exactOptional(),
    ingress: z.array(ingressRuleSchema).exactOptional(),
    egress: z.array(egressRuleSchema).exactOptional(),
  }),
});

export type NetworkPolicy = z.output<typeof networkPolicySchema>;
export type NetworkPolicyPeer = z.output<typeof peerSchema>;
export type NetworkPolicyPort = z.output<typeof policyPortSchema>;
