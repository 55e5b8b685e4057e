// margay.dev/v1alpha1 NodeStatus: asks the agent of one node to write down what it sees, for those who cannot ask its
// socket. Spec and status are those of Calico's CalicoNodeStatus, with conditions and with gobgpd in the place of BIRD; it
// has a kind of its own because a program that reads CalicoNodeStatus would look for BIRD in it.
import { z } from 'zod';
import { metadataSchema, subdomainName } from './metadata.ts';

const peerSchema = z.looseObject({
  peerIP: z.string(),
  type: z.enum(['NodeMesh', 'NodePeer', 'GlobalPeer', 'Reflector']),
  /** RFC 4271 §8.2.2, capitalised. */
  state: z.string(),
  /** Since when there is a session, or none; RFC 3339. */
  since: z.string().exactOptional(),
  /** What is the matter. Absent: nothing. */
  hint: z.string().exactOptional(),
});

const routeSchema = z.looseObject({
  type: z.enum(['FIB', 'RIB']),
  destination: z.string(),
  gateway: z.string().exactOptional(),
  interface: z.string().exactOptional(),
  learnedFrom: z.looseObject({
    sourceType: z.enum(['Static', 'Direct', 'NodeMesh', 'BGPPeer']),
    peerIP: z.string().exactOptional(),
  }),
});

const conditionSchema = z.looseObject({
  type: z.enum(['BGPConnected', 'SessionsEstablished', 'Draining']),
  status: z.enum(['True', 'False']),
  reason: z.string(),
  message: z.string(),
  /** RFC 3339. */
  lastTransitionTime: z.string(),
});

const statusSchema = z.looseObject({
  /** RFC 3339; older than twice the period: the agent does not run, or cannot write. */
  lastUpdated: z.string().exactOptional(),
  conditions: z.array(conditionSchema).exactOptional(),
  /** Of class `Agent`. */
  agent: z
    .looseObject({
      gobgp: z.looseObject({ state: z.enum(['Ready', 'NotReady']), asNumber: z.int().exactOptional() }),
    })
    .exactOptional(),
  /** Of class `BGP`. */
  bgp: z
    .looseObject({
      numberEstablishedV4: z.int(),
      numberNotEstablishedV4: z.int(),
      numberEstablishedV6: z.int(),
      numberNotEstablishedV6: z.int(),
      peersV4: z.array(peerSchema),
      peersV6: z.array(peerSchema),
    })
    .exactOptional(),
  /** Of class `Routes`. */
  routes: z.looseObject({ routesV4: z.array(routeSchema), routesV6: z.array(routeSchema) }).exactOptional(),
});

export const nodeStatusSchema = z.looseObject({
  apiVersion: z.literal('margay.dev/v1alpha1'),
  kind: z.literal('NodeStatus'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** Name of the Node whose agent writes. */
    node: subdomainName,
    classes: z.array(z.enum(['Agent', 'BGP', 'Routes'])).min(1),
    /** Time between two writings. Absent: 10; 0: the agent does not write. */
    updatePeriodSeconds: z.int().min(0).max(86_400).exactOptional(),
  }),
  /** Absent: nothing was written yet. */
  status: statusSchema.exactOptional(),
});

export type NodeStatus = z.output<typeof nodeStatusSchema>;
export type NodeStatusCondition = z.output<typeof conditionSchema>;
