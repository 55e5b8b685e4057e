// Reads the elements of one set back from the kernel.
import { KernelError } from '../linux/kernel-error.ts';
import type { Element, NftSet, TableName, Verdict } from './ast.ts';
import { type Attributes, readAttributes, readU32, walkAttributes } from './attributes.ts';
import { readValue, readVerdictCode } from './decode/expressions.ts';
import { decodeFields, decodeRun, pairBoundaries } from './decode/keys.ts';
import { decodeVerdict } from './decode/verdict.ts';
import type { AnonymousSet } from './expressions.ts';
import type { Requests } from './requests.ts';
import { ELEM_FLAG, NFT_MSG, NFTA_ELEM, NFTA_ELEM_LIST } from './uapi.ts';
import { decodeScalar, VALUE_TYPES, type ValueType } from './value-types.ts';

type RawElement = {
  readonly start: Uint8Array;
  readonly last: Uint8Array | undefined;
  readonly isEnd: boolean;
  readonly data: Uint8Array | undefined;
};

const EINTR = 4;
const ATTEMPTS = 10;

/** @throws KernelError `EINTR` when the set was never read whole */
export function dumpElements(requests: Requests, table: TableName, set: NftSet): readonly Element[] {
  const raw = set.interval ? readElements(requests, table, set.name) : readHashed(requests, table, set.name);
  const [type] = set.keyTypes;
  if (type === undefined) return [];
  const single = set.keyTypes.length === 1;
  if (single && set.interval) {
    return pairBoundaries(raw).map(({ element, end }) =>
      elementOf(set, [decodeRun(type, element.start, end)], element),
    );
  }
  return raw.map((element) =>
    elementOf(
      set,
      single ? [decodeScalar(type, element.start)] : decodeFields(set.keyTypes, element.start, element.last),
      element,
    ),
  );
}

function elementOf(set: NftSet, key: Element['key'], raw: RawElement): Element {
  const verdict = set.data === undefined || raw.data === undefined ? undefined : readVerdict(raw.data);
  return verdict === undefined
    ? { kind: 'element', set: set.name, key }
    : { kind: 'element', set: set.name, key, verdict };
}

function readVerdict(data: Uint8Array): Verdict | undefined {
  const { code, chain } = readVerdictCode(data);
  return decodeVerdict(code, chain);
}

/** Sorted as the encoder sorts them. */
export function readAnonymousElements(
  requests: Requests,
  table: TableName,
  set: string,
  type: ValueType,
  interval: boolean,
): AnonymousSet['elements'] {
  const raw = readElements(requests, table, set);
  if (interval) {
    return pairBoundaries(raw).map(({ element: { start }, end }) => (end === undefined ? { start } : { start, end }));
  }
  const order = (bytes: Uint8Array): Uint8Array => (VALUE_TYPES[type].order === 'host' ? bytes.toReversed() : bytes);
  return raw.map(({ start }) => ({ start })).sort((a, b) => Buffer.compare(order(a.start), order(b.start)));
}

/**
 * The kernel makes the table of a hash set larger after the commit, in a worker. A dump that needs more than one datagram
 * goes on by count of elements (nft_set_dump_elem() in nf_tables_api.c): with the order changed in between, it leaves out
 * as many as it sends twice, and does not set NLM_F_DUMP_INTR, since nothing was committed.
 */
function readHashed(requests: Requests, table: TableName, set: string): readonly RawElement[] {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const lists = readLists(requests, table, set);
    const elements = rawElements(lists);
    if (lists.length <= 1 || areDistinct(elements)) return elements;
  }
  throw new KernelError(`dump set "${set}"`, EINTR);
}

function areDistinct(elements: readonly RawElement[]): boolean {
  const seen = new Set<string>();
  for (const { start } of elements)
    seen.add(Buffer.from(start.buffer, start.byteOffset, start.length).toString('latin1'));
  return seen.size === elements.length;
}

const readElements = (requests: Requests, table: TableName, set: string): readonly RawElement[] =>
  rawElements(readLists(requests, table, set));

const readLists = (requests: Requests, table: TableName, set: string): readonly Attributes[] =>
  requests.dump(NFT_MSG.getSetElem, (out) => {
    out.text(NFTA_ELEM_LIST.table, table);
    out.text(NFTA_ELEM_LIST.set, set);
  });

function rawElements(lists: readonly Attributes[]): readonly RawElement[] {
  const elements: RawElement[] = [];
  for (const list of lists) {
    for (const { value } of walkAttributes(list.get(NFTA_ELEM_LIST.elements) ?? Buffer.alloc(0))) {
      elements.push(rawElement(readAttributes(value)));
    }
  }
  return elements;
}

const rawElement = (element: Attributes): RawElement => ({
  start: readValue(element, NFTA_ELEM.key),
  last: element.has(NFTA_ELEM.keyEnd) ? readValue(element, NFTA_ELEM.keyEnd) : undefined,
  isEnd: (readU32(element, NFTA_ELEM.flags) & ELEM_FLAG.intervalEnd) !== 0,
  data: element.get(NFTA_ELEM.data),
});
