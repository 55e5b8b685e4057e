// v1 Namespace: labels that namespace selectors match.
import { z } from 'zod';
import { labelName, metadataSchema } from './metadata.ts';

export const namespaceSchema = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Namespace'),
  metadata: metadataSchema.extend({ name: labelName }),
});

export type Namespace = z.output<typeof namespaceSchema>;
