// Fields of an object that its kind does not have, as the API server finds them when it decodes strictly. Schemas keep
// what they do not know, since an object may be of a newer API; whoever takes objects from people asks here.
import type { z } from 'zod';
import { type FieldTree, OTHER_FIELDS } from './fields-elsewhere.ts';
import { KINDS, type Kind } from './index.ts';

/** Paths of unknown fields, such as `spec.ingress[0].form`, in the order in which they were written. */
export function unknownFields(kind: Kind, raw: unknown): readonly string[] {
  return walk(raw, { schema: KINDS[kind].schema, elsewhere: OTHER_FIELDS[kind] }, '');
}

/** What a value may have: what its schema reads, and what only others read. */
type Known = { readonly schema: z.core.$ZodType | undefined; readonly elsewhere: FieldTree };

function walk(value: unknown, known: Known, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) {
    const entry = { ...known, schema: known.schema && elementOf(known.schema) };
    return value.flatMap((each, index) => walk(each, entry, `${path}[${index}]`));
  }
  const fields = known.schema === undefined ? {} : fieldsOf(known.schema);
  // A map of any keys, or something that is not looked into.
  const { elsewhere } = known;
  if (fields === undefined || elsewhere === true) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const other = Object.hasOwn(elsewhere, name) ? elsewhere[name] : undefined;
    const schema = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (schema === undefined && other === undefined) return [at];
    return walk(inner, { schema, elsewhere: other ?? {} }, at);
  });
}

type Fields = Readonly<Record<string, z.core.$ZodType>>;

/** Fields of an object or of any alternative of a union. Absent: the schema is of something else. */
function fieldsOf(schema: z.core.$ZodType): Fields | undefined {
  const { def } = inside(schema);
  if (def.type === 'object') return def.shape;
  if (def.type !== 'union') return undefined;
  return Object.assign({}, ...def.options.map((option) => fieldsOf(option)));
}

function elementOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const { def } = inside(schema);
  return def.type === 'array' ? def.element : undefined;
}

/** Without what says that a value may be absent, or is read further. */
function inside(schema: z.core.$ZodType): z.core.$ZodTypes['_zod'] {
  const { _zod } = schema as z.core.$ZodTypes;
  const { def } = _zod;
  if (def.type === 'optional' || def.type === 'default') return inside(def.innerType);
  return def.type === 'pipe' ? inside(def.in) : _zod;
}
