// Turns the schema's findings into the project's error grammar: `spec.ports[0].port: 0 is out of range, expected …`.
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

const MOST = 5;
/** Characters of a value that are shown. */
const LONGEST = 200;

/** All findings, separated by `; `; beyond five only their number. `input` is what was parsed, which is at `base`. */
export function formatIssues(issues: readonly Issue[], input: unknown, base = ''): string {
  const flat = issues.flatMap((issue) => narrow(issue, input, []));
  const shown = flat.slice(0, MOST).map(({ issue, path }) => {
    const inside = printPath(issue.code === 'invalid_key' ? path.slice(0, -1) : path);
    const where = base === '' || inside === '' || inside.startsWith('[') ? `${base}${inside}` : `${base}.${inside}`;
    const why = reason(issue, at(input, path));
    return where === '' ? why : `${where}: ${why}`;
  });
  if (flat.length > MOST) shown.push(`and ${flat.length - MOST} more`);
  return shown.join('; ');
}

type Located = { readonly issue: Issue; readonly path: Path };

/** Of a union, only the alternative that the user meant: the one whose type fits. */
function narrow(issue: Issue, input: unknown, base: Path): readonly Located[] {
  const path = [...base, ...issue.path];
  if (issue.code !== 'invalid_union') return [{ issue, path }];
  const meant = issue.errors.find((errors) =>
    errors.every((e) => (e.code !== 'invalid_type' && e.code !== 'invalid_value') || e.path.length > 0),
  );
  if (meant === undefined || meant.length === 0) return [{ issue, path }];
  return meant.flatMap((inner) => narrow(inner, input, path));
}

function reason(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'too_small':
    case 'too_big':
      return outOfRange(issue, value);
    case 'invalid_type':
      return value === undefined
        ? `is missing, expected ${typeName(issue.expected)}`
        : wrongType(issue.expected, value);
    case 'invalid_value':
      return `${value === undefined ? 'is missing' : show(value)}, expected ${orList(issue.values.map(String))}`;
    case 'invalid_format':
      return `${show(value)}, ${issue.message}`;
    case 'invalid_key':
      return `key ${show(String(issue.path.at(-1)))}, ${issue.issues[0]?.message ?? 'expected another key'}`;
    case 'invalid_union':
      return unionReason(issue, value);
    case 'unrecognized_keys':
      return `${issue.keys.map(show).join(', ')} is no key that is known`;
    case 'custom':
      return issue.message.replace(/^Cannot parse /, '');
    default:
      return `${show(value)}: ${issue.message}`;
  }
}

function outOfRange(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, value: unknown): string {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (issue.origin === 'string') return `${show(value)} has ${String(value).length} characters, expected ${bound}`;
  if (issue.origin === 'array') return `has ${Array.isArray(value) ? value.length : 0} entries, expected ${bound}`;
  return `${show(value)} is out of range, expected ${issue.message.startsWith('expected ') ? issue.message.slice(9) : bound}`;
}

const wrongType = (expected: string, value: unknown): string => `${show(value)}, expected ${typeName(expected)}`;

function unionReason(issue: Extract<Issue, { code: 'invalid_union' }>, value: unknown): string {
  const alternatives = issue.errors.flatMap((errors) =>
    errors.map((inner) => (inner.code === 'invalid_type' ? typeName(inner.expected) : inner.message)),
  );
  const given = value === undefined ? 'is missing' : show(value);
  if (issue.message.startsWith('expected ')) return `${given}, ${issue.message}`;
  return alternatives.length > 0 ? `${given}, expected ${orList(alternatives)}` : `${given}, expected another value`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'an object',
  record: 'an object',
  array: 'a list',
  string: 'a string',
  int: 'an integer',
  number: 'a number',
  boolean: 'true or false',
};

const typeName = (expected: string): string => TYPE_NAMES[expected] ?? expected;

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'is a list';
  if (typeof value === 'object' && value !== null) return 'is an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, LONGEST)) : String(value);
}

function at(input: unknown, path: Path): unknown {
  let value = input;
  for (const step of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  }
  return value;
}

function printPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w-]+$/.test(String(step))) text += `[${JSON.stringify(String(step))}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}
