// Whatever comes in, the answer is an object or a sentence, never an exception; and what was accepted stays acceptable.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIND_NAMES, KINDS } from './index.ts';
import { parseManifest } from './manifest.ts';
import { parseResource } from './parse.ts';

const FIELDS = [
  'podSelector',
  'ingress',
  'egress',
  'from',
  'to',
  'ports',
  'port',
  'endPort',
  'ipBlock',
  'cidr',
] as const;
const WORDS = ['10.0.0.0/8', 'TCP', 'web', '', '64512', 'all()'] as const;

const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom(...WORDS),
    fc.integer(),
    fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 4 }),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));

const objects = fc.constantFrom(...KIND_NAMES).chain((kind) =>
  fc.record({
    apiVersion: fc.constant(KINDS[kind].apiVersion),
    kind: fc.constant(kind),
    metadata: fc.oneof(fc.constant({ name: 'web' }), anything),
    spec: fc.oneof(fc.constant({}), anything),
  }),
);

test('parseResource() never throws, and its errors follow the grammar', () => {
  fc.assert(
    fc.property(fc.oneof(anything, objects), (given) => {
      const parsed = parseResource(given);
      if (!parsed.ok) assert.match(parsed.error, /^Cannot accept .*[,:] expected |; and \d+ more$/s);
    }),
    { numRuns: 2000 },
  );
});

test('parseResource() accepts its own output as it is', () => {
  fc.assert(
    fc.property(objects, (given) => {
      const parsed = parseResource(given);
      if (parsed.ok) assert.deepEqual(parseResource(parsed.value), parsed);
    }),
    { numRuns: 2000 },
  );
});

test('parseManifest() never throws', () => {
  const pieces = fc.constantFrom(
    '---\n',
    '- ',
    ': ',
    '\n',
    '  ',
    '{',
    ']',
    '&a ',
    '*a',
    '!!int ',
    '"',
    '#',
    'kind',
    '|',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 })), { maxLength: 30 }), (parts) => {
      for (const entry of parseManifest(parts.join(''), 'f.yaml')) {
        if (!entry.ok) assert.match(entry.error, /^Cannot (parse manifest|accept) /);
      }
    }),
    { numRuns: 2000 },
  );
});
