// From changes of objects to the operations of one batch, ordered so that every operation finds what it refers to and
// nothing is deleted while something refers to it. Readers of the kernel see the state before or after, so the order
// inside a batch has no other meaning.
//
//   elements out → sets, counters in → rules out → sets, chains, counters out → chains in → elements in → rules in
import { isDeepStrictEqual } from 'node:util';
import type { Chain, Element, NftChange, NftObject, NftSet, Ruleset, SetName, Table, TableName } from './ast.ts';
import type { NftOp } from './ops.ts';

/**
 * The table must be there and hold exactly the `before` objects.
 * @throws Error for what only a replacement of the table can do: a set that changes its type, an unknown object
 */
export function planChanges(table: Table, changes: readonly NftChange[]): readonly NftOp[] {
  const steps = createSteps(table.name);
  const gone = new Set<SetName>();
  for (const { before, after } of changes) {
    // The kernel lets a map hold its chains until the map is gone; older ones (before 6.4) until each element is.
    if (before?.kind === 'set' && after === undefined && before.data === undefined) gone.add(before.name);
  }
  for (const { before, after } of changes) {
    if (before?.kind === 'element' && after === undefined && gone.has(before.set)) continue;
    planChange(steps, before, after);
  }
  return steps.ops();
}

/**
 * The whole table anew, whatever is there: also when nothing or something foreign is. `present` is the table that is
 * there, if any: the kernel refuses to change the flags of one that stands (nf_tables_updtable() in nf_tables_api.c).
 */
export function planReplacement({ table, objects }: Ruleset, present: Table = table): readonly NftOp[] {
  const steps = createSteps(table.name);
  for (const object of objects.values()) planChange(steps, undefined, object);
  return [
    { kind: 'add-table', table: present },
    { kind: 'delete-table', table },
    { kind: 'add-table', table },
    ...steps.ops(),
  ];
}

type Steps = ReturnType<typeof createSteps>;

function createSteps(table: TableName) {
  const elementsOut = new Map<SetName, Element[]>();
  const added: NftOp[] = [];
  const chainsIn: NftOp[] = [];
  const rulesOut: NftOp[] = [];
  const setsOut: NftOp[] = [];
  const chainsOut: NftOp[] = [];
  const elementsIn = new Map<SetName, Element[]>();
  const rulesIn: NftOp[] = [];
  const lists = (kind: 'add-elements' | 'delete-elements', bySet: ReadonlyMap<SetName, Element[]>): readonly NftOp[] =>
    [...bySet].map(([set, elements]) => ({ kind, table, set, elements }));
  return {
    table,
    elementsOut,
    added,
    chainsIn,
    rulesOut,
    setsOut,
    chainsOut,
    elementsIn,
    rulesIn,
    ops: (): readonly NftOp[] => [
      ...lists('delete-elements', elementsOut),
      ...added,
      ...rulesOut,
      ...setsOut,
      ...chainsOut,
      ...chainsIn,
      ...lists('add-elements', elementsIn),
      ...rulesIn,
    ],
  };
}

function planChange(steps: Steps, before: NftObject | undefined, after: NftObject | undefined): void {
  const object = after ?? before;
  if (object === undefined || (before !== undefined && isDeepStrictEqual(before, after))) return;
  switch (object.kind) {
    case 'element':
      if (before?.kind === 'element') push(steps.elementsOut, before.set, before);
      if (after?.kind === 'element') push(steps.elementsIn, after.set, after);
      return;
    case 'chain':
      planChain(steps, before?.kind === 'chain' ? before : undefined, after?.kind === 'chain' ? after : undefined);
      return;
    case 'set':
      planSet(steps, object, before, after);
      return;
    case 'counter':
      if (after === undefined) steps.chainsOut.push({ kind: 'delete-counter', table: steps.table, counter: object });
      else steps.added.push({ kind: 'add-counter', table: steps.table, counter: object });
      return;
    case 'unknown':
      throw new Error(`Cannot change "${object.name}" (${object.detail}): is unknown, expected an object of ours`);
    default:
      object satisfies never;
  }
}

function planSet(steps: Steps, set: NftSet, before: NftObject | undefined, after: NftObject | undefined): void {
  if (before !== undefined && after !== undefined) {
    throw new Error(`Cannot change the type of set "${set.name}": is in use, expected a new name for another type`);
  }
  if (after === undefined) steps.setsOut.push({ kind: 'delete-set', table: steps.table, set });
  else steps.added.push({ kind: 'add-set', table: steps.table, set });
}

/** A chain is refilled as a whole; one whose hook differs is made anew. */
function planChain(steps: Steps, before: Chain | undefined, after: Chain | undefined): void {
  const { table } = steps;
  const anew = before === undefined || after === undefined || !isDeepStrictEqual(before.hook, after.hook);
  if (before !== undefined) {
    if (before.rules.length > 0) steps.rulesOut.push({ kind: 'flush-chain', table, chain: before.name });
    if (anew) steps.chainsOut.push({ kind: 'delete-chain', table, chain: before.name });
  }
  if (after === undefined) return;
  if (anew) {
    const { name: chain, hook } = after;
    steps.chainsIn.push(
      hook === undefined ? { kind: 'add-chain', table, chain } : { kind: 'add-chain', table, chain, hook },
    );
  }
  for (const rule of after.rules) steps.rulesIn.push({ kind: 'add-rule', table, chain: after.name, rule });
}

function push(map: Map<SetName, Element[]>, set: SetName, element: Element): void {
  const list = map.get(set);
  if (list === undefined) map.set(set, [element]);
  else list.push(element);
}
