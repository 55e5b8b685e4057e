// v1 Secret, for passwords of BGP sessions. Nothing that stands in one may reach an error: the checks name keys alone.
import { z } from 'zod';
import { namespacedMetadataSchema } from './metadata.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

// A value of the wrong type is a value all the same, such as a password of digits without quotes.
const texts = (isText: (value: string) => boolean, expected: string) =>
  z
    .custom<Readonly<Record<string, string>>>()
    .check((context) => {
      const { value } = context;
      const given: unknown = value;
      if (typeof given !== 'object' || given === null || Array.isArray(given)) {
        context.issues.push({ code: 'custom', message: 'is no object, expected an object', input: undefined });
        return;
      }
      for (const [key, text] of Object.entries<unknown>(value)) {
        if (typeof text === 'string' && isText(text)) continue;
        const message = `its value is not shown, expected ${expected}`;
        context.issues.push({ code: 'custom', message, path: [key], input: undefined });
      }
    })
    .exactOptional();

/** As the API server has it: what comes as text is kept in base64, and not shown as text again. */
export const secretSchema = z
  .looseObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('Secret'),
    metadata: namespacedMetadataSchema,
    /** Absent: Opaque. */
    type: z.string().exactOptional(),
    /** Values in base64 (RFC 4648 section 4). */
    data: texts((value) => BASE64.test(value), 'base64'),
    /** Values as they are, only when they are written; they outrank `data`. */
    stringData: texts(() => true, 'a string'),
  })
  .overwrite(({ stringData, ...secret }) =>
    stringData === undefined ? secret : { ...secret, data: { ...secret.data, ...coded(stringData) } },
  );

export type Secret = z.output<typeof secretSchema>;

function coded(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
}

/** Where the Secrets that BGP objects name are looked for: the namespace of the agent. */
export const SECRET_NAMESPACE = 'kube-system';

/** The text of a key, read as UTF-8. Absent: there is no such key. */
export function secretText({ data }: Secret, key: string): string | undefined {
  const value = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
}
