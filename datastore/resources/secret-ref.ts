// The key of a Secret that holds a TCP MD5 password, as BGPPeer and BGPConfiguration name it.
import { z } from 'zod';

export const bgpPasswordSchema = z.looseObject({
  secretKeyRef: z.looseObject({
    /** A Secret of the agent's namespace. */
    name: z.string().min(1),
    key: z.string().min(1),
  }),
});

export type SecretKeyRef = z.output<typeof bgpPasswordSchema>['secretKeyRef'];
