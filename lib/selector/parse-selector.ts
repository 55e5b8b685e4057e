// Reads a selector in Calico's grammar:
//
//   selector := "" (all) | or         or := and ("||" and)*         and := op ("&&" op)*
//   op  := "!"* ( "has(" key ")" | "all()" | "global()" | "(" or ")" | key comparison )
//   comparison := ("==" | "!=" | "contains" | "starts with" | "ends with") text | ("in" | "not in") "{" texts "}"
//
// `!` belongs to what follows it directly. Texts are quoted either way, without escapes.
import { err, ok, type Result } from '../result.ts';
import type { Comparison, Selector } from './types.ts';

/** Parentheses inside each other; a selector of people has a handful. */
const MAX_DEPTH = 100;

/** Empty and blank text select everything. The error says where the text goes wrong, and what could stand there. */
export function parseSelector(text: string): Result<Selector> {
  const cursor = createCursor(text);
  if (cursor.atEnd()) return ok({ kind: 'all' });
  const parsed = parseOr(cursor, 0);
  if (!parsed.ok) return parsed;
  return cursor.atEnd() ? parsed : cursor.expected('"&&", "||" or the end');
}

type Cursor = {
  /** Takes what fits here, after blanks; the first group of the pattern, or all of it. */
  readonly take: (pattern: RegExp) => string | undefined;
  readonly atEnd: () => boolean;
  readonly expected: (what: string) => Result<never>;
};

/** Patterns are sticky: they match at the cursor or not at all. */
function createCursor(text: string): Cursor {
  let at = 0;
  const skipBlanks = (): void => {
    while (text[at] === ' ' || text[at] === '\t') at++;
  };
  return {
    take: (pattern) => {
      skipBlanks();
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match === null) return undefined;
      at = pattern.lastIndex;
      return match[1] ?? match[0];
    },
    atEnd: () => {
      skipBlanks();
      return at === text.length;
    },
    expected: (what) => {
      skipBlanks();
      const found = at === text.length ? 'the text ends' : `"${shorten(text.slice(at), 20)}" stands there`;
      return err(`Cannot parse selector "${shorten(text, 100)}": at character ${at + 1} ${found}, expected ${what}`);
    },
  };
}

const shorten = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length)}…` : text);

const KEY = /[A-Za-z0-9_./-]{1,512}(?![A-Za-z0-9_./-])/y;
const HAS = /has\([ \t]*([A-Za-z0-9_./-]{1,512})[ \t]*\)/y;
const SIGNS: readonly (readonly [RegExp, Comparison])[] = [
  [/==/y, 'equal'],
  [/!=/y, 'not-equal'],
  [/contains(?![A-Za-z0-9_./-])/y, 'contains'],
  [/starts[ \t]*with(?![A-Za-z0-9_./-])/y, 'starts-with'],
  [/ends[ \t]*with(?![A-Za-z0-9_./-])/y, 'ends-with'],
];

const parseOr = (cursor: Cursor, depth: number): Result<Selector> =>
  parseJoined(cursor, 'or', /\|\|/y, () => parseJoined(cursor, 'and', /&&/y, () => parseOp(cursor, depth)));

function parseJoined(
  cursor: Cursor,
  kind: 'and' | 'or',
  joint: RegExp,
  parsePart: () => Result<Selector>,
): Result<Selector> {
  const parts: Selector[] = [];
  do {
    const part = parsePart();
    if (!part.ok) return part;
    parts.push(part.value);
  } while (cursor.take(joint) !== undefined);
  const [only] = parts;
  return ok(parts.length === 1 && only !== undefined ? only : { kind, parts });
}

function parseOp(cursor: Cursor, depth: number): Result<Selector> {
  let negated = false;
  while (cursor.take(/!(?!=)/y) !== undefined) negated = !negated;
  const parsed = parsePositive(cursor, depth);
  return parsed.ok && negated ? ok({ kind: 'not', inner: parsed.value }) : parsed;
}

function parsePositive(cursor: Cursor, depth: number): Result<Selector> {
  if (cursor.take(/all\([ \t]*\)/y) !== undefined) return ok({ kind: 'all' });
  if (cursor.take(/global\([ \t]*\)/y) !== undefined) return ok({ kind: 'global' });
  const has = cursor.take(HAS);
  if (has !== undefined) return ok({ kind: 'has', key: has });
  if (cursor.take(/\(/y) !== undefined) {
    if (depth === MAX_DEPTH) return cursor.expected(`at most ${MAX_DEPTH} parentheses inside each other`);
    const inner = parseOr(cursor, depth + 1);
    if (!inner.ok) return inner;
    return cursor.take(/\)/y) === undefined ? cursor.expected('")"') : inner;
  }
  const key = cursor.take(KEY);
  return key === undefined
    ? cursor.expected('a label key, has(KEY), all(), global() or "("')
    : parseComparison(cursor, key);
}

function parseComparison(cursor: Cursor, key: string): Result<Selector> {
  for (const [sign, kind] of SIGNS) {
    if (cursor.take(sign) === undefined) continue;
    const value = takeText(cursor);
    return value === undefined ? cursor.expected('a text in quotes') : ok({ kind, key, value });
  }
  if (cursor.take(/in(?![A-Za-z0-9_./-])/y) !== undefined) return parseValues(cursor, 'in', key);
  if (cursor.take(/not[ \t]*in(?![A-Za-z0-9_./-])/y) !== undefined) return parseValues(cursor, 'not-in', key);
  return cursor.expected('==, !=, contains, starts with, ends with, in or not in');
}

function parseValues(cursor: Cursor, kind: 'in' | 'not-in', key: string): Result<Selector> {
  if (cursor.take(/\{/y) === undefined) return cursor.expected('"{"');
  const values = new Set<string>();
  while (cursor.take(/\}/y) === undefined) {
    const value = takeText(cursor);
    if (value === undefined) return cursor.expected('a text in quotes or "}"');
    values.add(value);
    if (cursor.take(/,/y) !== undefined) continue;
    if (cursor.take(/\}/y) === undefined) return cursor.expected('"," or "}"');
    break;
  }
  return ok({ kind, key, values: [...values].sort() });
}

const takeText = (cursor: Cursor): string | undefined => {
  const quoted = cursor.take(QUOTED);
  return quoted?.slice(1, -1);
};

const QUOTED = /"[^"]*"|'[^']*'/y;
