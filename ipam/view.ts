// What a node's agent tells about its addresses: its journal, and what its kernel shows. Travels as JSON.
import { z } from 'zod';
import { cidrSchema, ipSchema } from '../datastore/resources/scalars.ts';
import { assignmentSchema } from './assignment.ts';

export const ipamViewSchema = z.object({
  node: z.string(),
  blocks: z.array(
    z.object({
      cidr: cidrSchema,
      pool: z.string(),
      size: z.int(),
      used: z.int(),
      /** Free, but resting. */
      cooling: z.int(),
    }),
  ),
  assignments: z.array(
    z.object({
      assignment: assignmentSchema,
      /** The path of the pod's network namespace is there; false too when it is not known. */
      netnsExists: z.boolean(),
    }),
  ),
  /** Host ends of ours in the kernel; `handle` absent: nobody signed it. */
  links: z.array(z.object({ name: z.string(), handle: z.string().exactOptional(), ips: z.array(ipSchema) })),
  /** Free addresses that are not handed out, because something without an assignment has them. */
  keptOut: z.array(ipSchema),
  /** Blocks of this node's name that are not its agent's, and why. An older agent does not tell. */
  stranded: z.array(z.object({ cidr: cidrSchema, why: z.string() })).default([]),
  /** Free addresses that cool down. An older agent does not tell. */
  resting: z.array(ipSchema).default([]),
});

export type IpamView = z.output<typeof ipamViewSchema>;
