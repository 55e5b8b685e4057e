// Prints objects as `nft list` of nft 1.0.6 would, sorted by name: for people, goldens and `nft -f`.
import type { Chain, Element, Hook, NftObject, NftSet, Ruleset, SetName, UnknownObject } from './ast.ts';
import { printElement } from './print-element.ts';
import { printRule } from './print-rule.ts';

export { printRule } from './print-rule.ts';

const LINE = 100;

/** The whole table: counters, sets with their elements, chains, then base chains. @throws Error as `printRule` */
export function printRuleset({ table, objects }: Ruleset): string {
  const all = [...objects.values()];
  const elements = Map.groupBy(
    all.filter((object) => object.kind === 'element'),
    ({ set }) => set,
  );
  const blocks = [
    ...(table.flags.length === 0 ? [] : [[`\tflags ${table.flags.join(',')}`]]),
    ...byName(all, 'unknown').map(unknownLines),
    ...byName(all, 'counter').map((counter) => block(`counter ${counter.name}`, ['packets 0 bytes 0'])),
    ...byName(all, 'set').map((set) => setLines(set, elements.get(set.name) ?? [])),
    ...byName(all, 'chain')
      .filter(({ hook }) => hook === undefined)
      .map(chainLines),
    ...byName(all, 'chain')
      .filter(({ hook }) => hook !== undefined)
      .map(chainLines),
  ];
  return `table inet ${table.name} {\n${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n}\n`;
}

/**
 * One object as in its table, without indentation. An element stands with its set; how its values look follows from
 * `setOf`, or from the values alone when the set is not known. @throws Error as `printRule`
 */
export function printObject(object: NftObject, setOf: (name: SetName) => NftSet | undefined = () => undefined): string {
  return objectLines(object, setOf)
    .map((line) => line.replace(/^\t/, ''))
    .join('\n');
}

function objectLines(object: NftObject, setOf: (name: SetName) => NftSet | undefined): readonly string[] {
  switch (object.kind) {
    case 'chain':
      return chainLines(object);
    case 'set':
      return setLines(object, []);
    case 'counter':
      return block(`counter ${object.name}`, ['packets 0 bytes 0']);
    case 'element':
      return [`element ${object.set} { ${printElement(object, setOf(object.set))} }`];
    case 'unknown':
      return unknownLines(object);
    default:
      return object satisfies never;
  }
}

/** The name as nft(8) prints a chain's priority: relative to a well-known one within 10 (nft(8) CHAINS). */
export function printPriority({ hook, priority }: Pick<Hook, 'hook' | 'priority'>): string {
  for (const { name, value, only } of PRIORITIES) {
    const distance = priority - value;
    if ((only !== undefined && only !== hook) || Math.abs(distance) > 10) continue;
    return distance === 0 ? name : `${name} ${distance < 0 ? '-' : '+'} ${Math.abs(distance)}`;
  }
  return String(priority);
}

const PRIORITIES: readonly { readonly name: string; readonly value: number; readonly only?: Hook['hook'] }[] = [
  { name: 'raw', value: -300 },
  { name: 'mangle', value: -150 },
  { name: 'dstnat', value: -100, only: 'prerouting' },
  { name: 'filter', value: 0 },
  { name: 'security', value: 50 },
  { name: 'srcnat', value: 100, only: 'postrouting' },
];

function chainLines({ name, hook, rules }: Chain): readonly string[] {
  const head =
    hook === undefined
      ? []
      : [`type ${hook.type} hook ${hook.hook} priority ${printPriority(hook)}; policy ${hook.policy};`];
  return block(`chain ${name}`, [...head, ...rules.map(printRule)]);
}

function setLines(set: NftSet, elements: readonly Element[]): readonly string[] {
  const type = `type ${set.keyTypes.join(' . ')}${set.data === undefined ? '' : ` : ${set.data}`}`;
  const flags = set.interval ? ['flags interval'] : [];
  const texts = elements.map((element) => printElement(element, set)).sort();
  const kind = set.data === undefined ? 'set' : 'map';
  return block(`${kind} ${set.name}`, [type, ...flags, ...elementLines(texts)]);
}

/** In one line if they fit, else one a line: a change of one element is a difference of one line. */
function elementLines(texts: readonly string[]): readonly string[] {
  if (texts.length === 0) return [];
  const line = `elements = { ${texts.join(', ')} }`;
  if (texts.length === 1 || line.length <= LINE) return [line];
  return ['elements = {', ...texts.map((text, i) => `\t${text}${i < texts.length - 1 ? ',' : ''}`), '}'];
}

const unknownLines = ({ name, detail }: UnknownObject): readonly string[] => [`\t# unknown: ${name}, ${detail}`];

const block = (head: string, lines: readonly string[]): readonly string[] => [
  `\t${head} {`,
  ...lines.map((line) => `\t\t${line}`),
  '\t}',
];

type Named = Exclude<NftObject, { kind: 'element' }>;

function byName<K extends Named['kind']>(
  objects: readonly NftObject[],
  kind: K,
): readonly Extract<Named, { kind: K }>[] {
  return objects
    .filter((object): object is Extract<Named, { kind: K }> => object.kind === kind)
    .sort((a: Named, b: Named) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
