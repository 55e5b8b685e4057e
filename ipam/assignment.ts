// What the node has promised to one interface of one container, as the journal keeps it.
import { z } from 'zod';
import { ipSchema } from '../datastore/resources/scalars.ts';
import { parseIfName } from '../lib/linux/if-name.ts';
import type { Handle } from './handle.ts';

const ifNameSchema = z.string().transform((text, context) => {
  const parsed = parseIfName(text);
  if (parsed.ok) return parsed.value;
  context.addIssue(parsed.error);
  return z.NEVER;
});

export const assignmentSchema = z
  .object({
    /** Checked by nothing but equality: the journal returns what `handleOf()` made. */
    handle: z.string().transform((text) => text as Handle),
    namespace: z.string(),
    pod: z.string(),
    /** Pod uid. Absent when the runtime did not tell it. */
    uid: z.string().exactOptional(),
    /** One per family, in the order in which the families were asked for. */
    ips: z.array(ipSchema).min(1).readonly(),
    /** Path of the pod's network namespace. */
    netns: z.string(),
    /** The host end of the pod's veth. */
    hostIfName: ifNameSchema,
    /** The pod's own hardware address, known once it is attached. */
    mac: z.string().exactOptional(),
    /** Of both ends of its link, in bytes; absent for what an agent wrote that did not keep it, or that was adopted. */
    mtu: z.int().exactOptional(),
    /** Grows with every assignment of this journal; tells two assignments of one handle or address apart. */
    sequence: z.int().min(1),
    /** RFC 3339. */
    assignedAt: z.string(),
    /** `assigned`: the addresses are promised. `attached`: links, routes and rules have been reported in place. */
    state: z.enum(['assigned', 'attached']),
  })
  .readonly();

export type Assignment = z.output<typeof assignmentSchema>;
