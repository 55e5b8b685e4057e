// projectcalico.org/v3 BGPFilter: ordered rules for the paths that a peer sends and is sent. The first rule that fits
// decides; what none fits is treated as if there were no filter.
import { z } from 'zod';
import { cidrFamily } from '../../lib/cidr.ts';
import { type Family, familyBits } from '../../lib/ip.ts';
import { communitySchema } from './community.ts';
import { metadataSchema } from './metadata.ts';
import { asnSchema, cidrSchema } from './scalars.ts';

/** A kernel priority (metric), of which the lower is preferred. */
const priority = z.int().min(1).max(2_147_483_646);

const operationSchema = z
  .looseObject({
    addCommunity: z.looseObject({ value: communitySchema }).exactOptional(),
    /** The first number becomes the outermost. */
    prependASPath: z.looseObject({ prefix: z.array(asnSchema).min(1).max(10) }).exactOptional(),
    /** Becomes LOCAL_PREF `2147483647 - value`, so that among such paths the lower priority is preferred. */
    setPriority: z.looseObject({ value: priority }).exactOptional(),
  })
  .check((context) => {
    const { addCommunity, prependASPath, setPriority } = context.value;
    const given = [addCommunity, prependASPath, setPriority].filter((field) => field !== undefined).length;
    if (given === 1) return;
    const message = `has ${given} operations, expected one of addCommunity, prependASPath and setPriority`;
    context.issues.push({ code: 'custom', message, input: context.value });
  });

function rulesSchema(family: Family) {
  const bits = familyBits(family);
  const length = z.int().min(0).max(bits);
  const rule = z
    .looseObject({
      /** Absent: any prefix of the family. */
      cidr: cidrSchema.exactOptional(),
      /** `In`: inside `cidr`; `Equal`: `cidr` itself; `NotIn`, `NotEqual`: anything else. Present exactly when `cidr` is. */
      matchOperator: z.enum(['Equal', 'NotEqual', 'In', 'NotIn']).exactOptional(),
      /** Lengths that `cidr` is matched with. Absent: from its own to the longest. */
      prefixLength: z.looseObject({ min: length.exactOptional(), max: length.exactOptional() }).exactOptional(),
      /** Only paths that were learned, not those that originate here. */
      source: z.enum(['RemotePeers']).exactOptional(),
      /** Outgoing interface, `*` for any text. */
      interface: z.string().min(1).exactOptional(),
      peerType: z.enum(['eBGP', 'iBGP']).exactOptional(),
      communities: z.looseObject({ values: z.array(communitySchema).min(1).max(1) }).exactOptional(),
      /** The AS path begins with these, the nearest AS first. */
      asPathPrefix: z.array(asnSchema).exactOptional(),
      /** Kernel priority; every route here has 1024. */
      priority: priority.exactOptional(),
      action: z.enum(['Accept', 'Reject']),
      /** Changes of the path, in order; only beside Accept. */
      operations: z.array(operationSchema).min(1).max(10).exactOptional(),
    })
    .check((context) => {
      const { cidr, matchOperator, prefixLength, action, operations } = context.value;
      const refuse = (field: string, message: string): void => {
        context.issues.push({ code: 'custom', message, path: [field], input: undefined });
      };
      if (cidr !== undefined && cidrFamily(cidr) !== family)
        refuse('cidr', `"${cidr}" is not IPv${family}, expected IPv${family}`);
      if (cidr !== undefined && matchOperator === undefined)
        refuse('matchOperator', 'is missing, expected one beside cidr');
      if (cidr === undefined && matchOperator !== undefined)
        refuse('cidr', 'is missing, expected one beside matchOperator');
      if (cidr === undefined && prefixLength !== undefined)
        refuse('cidr', 'is missing, expected one beside prefixLength');
      const { min = 0, max = bits } = prefixLength ?? {};
      if (min > max) refuse('prefixLength', `min ${min} is above max ${max}, expected at most ${max}`);
      if (action === 'Reject' && operations !== undefined) {
        refuse('operations', 'stand beside action "Reject", expected "Accept"');
      }
    });
  return z.array(rule).exactOptional();
}

export const bgpFilterSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('BGPFilter'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** What a peer is told. */
    exportV4: rulesSchema(4),
    exportV6: rulesSchema(6),
    /** What is believed of a peer. */
    importV4: rulesSchema(4),
    importV6: rulesSchema(6),
  }),
});

export type BgpFilter = z.output<typeof bgpFilterSchema>;
export type BgpFilterRule = NonNullable<BgpFilter['spec']['importV4']>[number];
