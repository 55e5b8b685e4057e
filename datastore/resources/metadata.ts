// Object metadata shared by all kinds (Kubernetes ObjectMeta, as far as anything here reads it).
import { z } from 'zod';

const label = z
  .string()
  .max(63)
  .regex(
    /^(|[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/,
    'expected a label value: letters, digits, "-", "_" and ".", first and last a letter or digit',
  );

/** `[PREFIX/]NAME`: the prefix a DNS subdomain of at most 253 characters, the name at most 63. */
const labelKey = z
  .string()
  .regex(
    /^((?=[^/]{1,253}\/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    'expected a label key such as "app" or "example.org/app"',
  );

/** RFC 1123 subdomain, the name of most objects. */
export const subdomainName = z
  .string()
  .min(1)
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'expected lower case letters, digits, "-" and "."',
  );

/** RFC 1123 label, the name of a namespace. */
export const labelName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'expected lower case letters, digits and "-"');

export const labelsSchema = z.record(labelKey, label);

export const metadataSchema = z.looseObject({
  name: subdomainName,
  labels: labelsSchema.exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  uid: z.string().exactOptional(),
  /** Opaque; grows with each write of the store. Absent in what a user writes. */
  resourceVersion: z.string().exactOptional(),
  /** Counts changes of anything but metadata and status. */
  generation: z.int().exactOptional(),
  /** RFC 3339. */
  creationTimestamp: z.string().exactOptional(),
  deletionTimestamp: z.string().exactOptional(),
});

/** Metadata of a namespaced kind: `namespace` is `default` when absent, as kubectl has it. */
export const namespacedMetadataSchema = metadataSchema.extend({ namespace: labelName.default('default') });

/** Kubernetes LabelSelector: all of `matchLabels` and of `matchExpressions`. Empty selects everything. */
export const labelSelectorSchema = z.looseObject({
  matchLabels: labelsSchema.exactOptional(),
  matchExpressions: z
    .array(
      z.discriminatedUnion(
        'operator',
        [
          z.looseObject({ key: labelKey, operator: z.literal(['In', 'NotIn']), values: z.array(label).min(1) }),
          z.looseObject({
            key: labelKey,
            operator: z.literal(['Exists', 'DoesNotExist']),
            values: z.array(label).max(0).exactOptional(),
          }),
        ],
        'expected In, NotIn, Exists or DoesNotExist',
      ),
    )
    .exactOptional(),
});

export type LabelSelector = z.output<typeof labelSelectorSchema>;
