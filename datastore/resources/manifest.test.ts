import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from './index.ts';
import { parseManifest } from './manifest.ts';

const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`;

const json = (name: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { a: '' } } });

const rows: readonly { name: string; given: string; expected: readonly (string | RegExp)[] }[] = [
  { name: 'an empty text', given: '', expected: [] },
  { name: 'comments and empty documents', given: '# nothing\n---\n---\n# more\n', expected: [] },
  {
    name: 'documents',
    given: `${namespace('a')}---\n# note\n---\n${namespace('b')}`,
    expected: ['Namespace/a', 'Namespace/b'],
  },
  {
    name: 'JSON indented with tabs',
    given: '{\n\t"apiVersion": "v1", "kind": "Namespace",\n\t"metadata": {"name": "a"}\n}',
    expected: ['Namespace/a'],
  },
  {
    name: 'a List',
    given: `kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n- {apiVersion: v1, kind: Node, metadata: {name: n}}`,
    expected: ['Namespace/a', 'Node/n'],
  },
  {
    name: 'a typed list whose items do not say what they are',
    given: '{"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "n"}}, {"kind": "Node"}]}',
    expected: ['Node/n', /^Cannot accept Node without a name: /],
  },
  {
    name: 'JSON objects one behind the other',
    given: `${json('a')}${json('b')}\n\n${json('c')} ${json('UPPER')}`,
    expected: ['Namespace/a', 'Namespace/b', 'Namespace/c', /^Cannot accept Namespace "UPPER": .* \(f\.yaml:3\)$/],
  },
  {
    name: 'a key that stands twice in JSON',
    given: '{"kind": "Node", "apiVersion": "v1",\n"metadata": {"name": "a",\n"name": "b"}}',
    expected: [/^Cannot parse manifest "f\.yaml:3": map keys must be unique, expected YAML or JSON$/],
  },
  {
    name: 'a key that stands in two objects of JSON, and in a text',
    given: '\n\n{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "A", "labels": {"name": "\\"name\\":"}}}',
    expected: [/^Cannot accept Node "A": .*\(f\.yaml:3\)$/],
  },
  {
    name: 'JSON objects of which one is none',
    given: `${json('a')}\n{"kind": }`,
    expected: [/^Cannot parse manifest "f\.yaml:2": .*, expected YAML or JSON$/],
  },
  {
    name: 'a List with a bad item',
    given: `kind: NodeList\nitems:\n- {apiVersion: v1, kind: Foo, metadata: {name: a}}\n- {apiVersion: v1, kind: Node, metadata: {name: n}}`,
    expected: [/^Cannot accept kind "Foo" of "a": unknown, expected one of .* \(f\.yaml:1\)$/, 'Node/n'],
  },
  {
    name: 'a malformed document between good ones',
    given: `${namespace('a')}---\nkind: [\n---\n${namespace('b')}`,
    expected: ['Namespace/a', /^Cannot parse manifest "f\.yaml:\d+": .*, expected YAML or JSON$/, 'Namespace/b'],
  },
  {
    name: 'a key that stands twice',
    given: 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  name: b\n',
    expected: [/^Cannot parse manifest "f\.yaml:5": map keys must be unique, expected YAML or JSON$/],
  },
  {
    name: 'a tab as indentation',
    given: 'apiVersion: v1\nmetadata:\n\tname: a\n',
    expected: [/^Cannot parse manifest "f\.yaml:3": tabs/],
  },
  {
    name: 'a text',
    given: 'hello',
    expected: [/^Cannot accept object: "hello", expected an object .* \(f\.yaml:1\)$/],
  },
  {
    name: 'an unresolved alias',
    given: 'a: *b\n',
    expected: [/^Cannot parse manifest "f\.yaml:1": .*, expected YAML/],
  },
  {
    name: 'a billion laughs',
    given: `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n`,
    expected: [/^Cannot parse manifest "f\.yaml:1": excessive alias count/],
  },
];

for (const { name, given, expected } of rows) {
  test(`parseManifest() reads ${name}`, () => {
    const actual = parseManifest(given, 'f.yaml').map((entry) =>
      entry.ok ? keyOf(entry.value.resource) : entry.error,
    );
    assert.equal(actual.length, expected.length, JSON.stringify(actual));
    for (const [index, want] of expected.entries()) {
      if (want instanceof RegExp) assert.match(actual[index] ?? '', want);
      else assert.equal(actual[index], want);
    }
  });
}
