// The names that people give to kinds: `pods`, `po`, `networkpolicy`, `networkpolicies.networking.k8s.io`, `pod/web`.
import { KIND_NAMES, KINDS, type Kind } from '../datastore/resources/index.ts';
import { err, ok, type Result } from '../lib/result.ts';

/** What a command is asked about: kinds, and names when they are given. */
export type Asked = { readonly kinds: readonly Kind[]; readonly names: readonly string[] };

/** Reads `KIND[,KIND…] [NAME…]` or `KIND/NAME…` of one kind. */
export function parseAsked(words: readonly string[]): Result<Asked> {
  const [first, ...names] = words;
  if (first === undefined) return err('You must specify the type of resource, such as "pods"');
  if (words.some((word) => word.includes('/'))) return parseSlashes(words);
  const kinds: Kind[] = [];
  for (const word of first.split(',')) {
    const kind = parseKind(word);
    if (!kind.ok) return kind;
    if (!kinds.includes(kind.value)) kinds.push(kind.value);
  }
  if (kinds.length > 1 && names.length > 0) {
    return err(`Cannot combine several types of resources ("${first}") with names, expected one type`);
  }
  return ok({ kinds, names });
}

function parseSlashes(words: readonly string[]): Result<Asked> {
  let asked: Kind | undefined;
  const names: string[] = [];
  for (const word of words) {
    const [type = '', name = '', ...rest] = word.split('/');
    if (name === '' || rest.length > 0) return err(`Cannot read "${word}": expected TYPE/NAME like all others`);
    const kind = parseKind(type);
    if (!kind.ok) return kind;
    if (asked !== undefined && asked !== kind.value) return err(`Cannot read "${word}": expected one type only`);
    asked = kind.value;
    names.push(name);
  }
  return ok({ kinds: asked === undefined ? [] : [asked], names });
}

/** One kind by its plural, singular or short name, in any case, with or without its group. */
export function parseKind(text: string): Result<Kind> {
  const word = text.toLowerCase();
  const found = KIND_NAMES.find((kind) => namesOf(kind).includes(word));
  if (found !== undefined) return ok(found);
  const all = KIND_NAMES.map((kind) => KINDS[kind].plural).join(', ');
  return err(`the server doesn't have a resource type "${text}", expected one of ${all}`);
}

function namesOf(kind: Kind): readonly string[] {
  const { plural, shortNames } = KINDS[kind];
  const full = [plural, kind.toLowerCase()];
  const group = groupOf(kind);
  return [...full, ...shortNames, ...(group === '' ? [] : full.map((name) => `${name}.${group}`))];
}

/** API group; empty for the core group. */
export function groupOf(kind: Kind): string {
  const { apiVersion } = KINDS[kind];
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** `pod`, `networkpolicy.networking.k8s.io`: how kubectl writes the kind of one object. */
export function singularOf(kind: Kind): string {
  const group = groupOf(kind);
  return group === '' ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
}

/** `pods`, `networkpolicies.networking.k8s.io`: how kubectl writes a kind in errors. */
export function pluralOf(kind: Kind): string {
  const group = groupOf(kind);
  return group === '' ? KINDS[kind].plural : `${KINDS[kind].plural}.${group}`;
}
