// Reads a table back from the kernel as objects. What the vocabulary cannot say becomes an `unknown` object or statement:
// whoever compares the dump with what should be there sees a difference.
import { KernelError } from '../linux/kernel-error.ts';
import {
  type ChainName,
  type CounterName,
  type Hook,
  type KeyType,
  type NftKey,
  type NftObject,
  type NftSet,
  nftKey,
  type Rule,
  type Ruleset,
  type SetName,
  type Table,
  type TableName,
} from './ast.ts';
import { type Attributes, readAttributes, readText, readU32 } from './attributes.ts';
import { type ResolveSet, readExpressions } from './decode/expressions.ts';
import { decodeStatements } from './decode/rule.ts';
import { dumpElements, readAnonymousElements } from './dump-elements.ts';
import type { AnonymousSet } from './expressions.ts';
import type { Requests } from './requests.ts';
import {
  HOOKS,
  NFT_DATA_VERDICT,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFTA_CHAIN,
  NFTA_COUNTER,
  NFTA_HOOK,
  NFTA_OBJ,
  NFTA_RULE,
  NFTA_SET,
  NFTA_TABLE,
  SET_FLAG,
  TABLE_FLAG,
  UDATA,
} from './uapi.ts';
import { VALUE_TYPES, type ValueType } from './value-types.ts';

export type CounterValue = { readonly packets: bigint; readonly bytes: bigint };

const EINTR = 4;
const ATTEMPTS = 20;
const KEY_TYPES: readonly KeyType[] = ['ipv4_addr', 'ipv6_addr', 'ifname', 'inet_proto', 'inet_service'];

/** One consistent state: reads again when a commit came between. @throws KernelError ENOENT when there is no table */
export const dumpRuleset = (requests: Requests, table: TableName): Ruleset =>
  readConsistently(requests, table, () => readRuleset(requests, table));

/** What `read` reads while nobody commits. @throws KernelError EINTR when somebody always does */
export function readConsistently<T>(requests: Requests, table: TableName, read: () => T): T {
  for (let attempt = 1; ; attempt++) {
    try {
      const generation = requests.generation();
      const found = read();
      if (requests.generation() === generation) return found;
    } catch (error) {
      if (!(error instanceof KernelError && error.errno === EINTR)) throw error;
    }
    if (attempt >= ATTEMPTS) throw new KernelError(`dump table "${table}"`, EINTR);
  }
}

/** The table without what is in it. @throws KernelError ENOENT when there is none */
export function readTable(requests: Requests, name: TableName): Table {
  const table = requests.get(NFT_MSG.getTable, (out) => out.text(NFTA_TABLE.name, name));
  const bits = readU32(table, NFTA_TABLE.flags);
  return { name, flags: (['owner', 'persist'] as const).filter((flag) => (bits & TABLE_FLAG[flag]) !== 0) };
}

function readRuleset(requests: Requests, name: TableName): Ruleset {
  const table = readTable(requests, name);
  const objects = new Map<NftKey, NftObject>();
  const add = (object: NftObject): void => {
    objects.set(nftKey(object), object);
  };

  const anonymous = new Map<string, Attributes>();
  for (const set of requests.dump(NFT_MSG.getSet, (out) => out.text(NFTA_SET.table, name))) {
    const setName = readText(set, NFTA_SET.name);
    if ((readU32(set, NFTA_SET.flags) & SET_FLAG.anonymous) !== 0) {
      anonymous.set(setName, set);
      continue;
    }
    const object = readSet(set);
    add(object);
    if (object.kind === 'set') for (const element of dumpElements(requests, name, object)) add(element);
  }
  for (const object of requests.dump(NFT_MSG.getObj, (out) => out.text(NFTA_OBJ.table, name))) {
    const objectName = readText(object, NFTA_OBJ.name);
    const type = readU32(object, NFTA_OBJ.type);
    if (type === NFT_OBJECT_COUNTER) add({ kind: 'counter', name: objectName as CounterName });
    else add({ kind: 'unknown', name: objectName, detail: `stateful object of type ${type}` });
  }
  for (const flowtable of requests.dump(NFT_MSG.getFlowtable, (out) => out.text(1, name))) {
    if (readText(flowtable, 1) === name) add({ kind: 'unknown', name: readText(flowtable, 2), detail: 'flowtable' });
  }
  const resolve: ResolveSet = (setName) => {
    const set = anonymous.get(setName);
    return set && readAnonymous(requests, name, setName, set);
  };
  for (const chain of readChains(requests, name, resolve)) add(chain);
  return { table, objects };
}

function* readChains(requests: Requests, table: TableName, resolve: ResolveSet): Generator<NftObject> {
  const rules = new Map<string, Rule[]>();
  for (const rule of requests.dump(NFT_MSG.getRule, (out) => out.text(NFTA_RULE.table, table))) {
    const chain = readText(rule, NFTA_RULE.chain);
    const list = rules.get(chain) ?? [];
    list.push(readRule(rule, resolve));
    rules.set(chain, list);
  }
  for (const chain of requests.dump(NFT_MSG.getChain, (out) => out.text(NFTA_CHAIN.table, table))) {
    // Older kernels send the chains of all tables.
    if (readText(chain, NFTA_CHAIN.table) !== table) continue;
    yield readChain(chain, rules.get(readText(chain, NFTA_CHAIN.name)) ?? []);
  }
}

export function readChain(chain: Attributes, rules: readonly Rule[]): NftObject {
  const name = readText(chain, NFTA_CHAIN.name) as ChainName;
  if (!chain.has(NFTA_CHAIN.hook)) return { kind: 'chain', name, rules };
  const hook = readHook(chain);
  if (hook === undefined) return { kind: 'unknown', name, detail: 'chain at an unknown hook' };
  return { kind: 'chain', name, hook, rules };
}

function readHook(chain: Attributes): Hook | undefined {
  const attributes = readAttributes(chain.get(NFTA_CHAIN.hook) ?? Buffer.alloc(0));
  const hook = HOOKS[readU32(attributes, NFTA_HOOK.hooknum)];
  const type = readText(chain, NFTA_CHAIN.type);
  if (hook === undefined || (type !== 'filter' && type !== 'nat' && type !== 'route')) return undefined;
  const priority = readU32(attributes, NFTA_HOOK.priority) | 0;
  return { type, hook, priority, policy: readU32(chain, NFTA_CHAIN.policy, 1) === 0 ? 'drop' : 'accept' };
}

export function readRule(rule: Attributes, resolve: ResolveSet): Rule {
  const statements = decodeStatements(readExpressions(rule.get(NFTA_RULE.expressions) ?? Buffer.alloc(0), resolve));
  const userdata = rule.get(NFTA_RULE.userdata);
  const length = userdata?.[1];
  if (userdata?.[0] !== UDATA.ruleComment || length === undefined) return { statements };
  return { statements, comment: userdata.toString('utf8', 2, 2 + length - 1) };
}

/** The definition of one set. @throws KernelError; Error when it is of an unknown type */
export function dumpSet(requests: Requests, table: TableName, set: string): NftSet {
  const attributes = requests.get(NFT_MSG.getSet, (out) => {
    out.text(NFTA_SET.table, table);
    out.text(NFTA_SET.name, set);
  });
  const object = readSet(attributes);
  if (object.kind === 'set') return object;
  throw new Error(`Cannot use set "${set}" of table "${table}": is ${object.detail}, expected a set of a known type`);
}

export function readSet(set: Attributes): NftSet | Extract<NftObject, { kind: 'unknown' }> {
  const name = readText(set, NFTA_SET.name) as SetName;
  const flags = readU32(set, NFTA_SET.flags);
  const magic = readU32(set, NFTA_SET.keyType);
  const keyTypes = readKeyTypes(magic);
  const map = (flags & SET_FLAG.map) !== 0;
  const other = flags & ~(SET_FLAG.interval | SET_FLAG.map | SET_FLAG.concat);
  if (keyTypes === undefined || other !== 0 || (map && readU32(set, NFTA_SET.dataType) !== NFT_DATA_VERDICT)) {
    return { kind: 'unknown', name, detail: `a set of key type ${magic} with flags ${flags}` };
  }
  const interval = (flags & SET_FLAG.interval) !== 0;
  return map ? { kind: 'set', name, keyTypes, interval, data: 'verdict' } : { kind: 'set', name, keyTypes, interval };
}

/** Each field's type is six bits, the first field highest (nftables TYPE_BITS). */
function readKeyTypes(magic: number): readonly KeyType[] | undefined {
  const types: KeyType[] = [];
  for (let rest = magic; rest !== 0; rest >>>= 6) {
    const type = KEY_TYPES.find((key) => VALUE_TYPES[key].magic === (rest & 0x3f));
    if (type === undefined) return undefined;
    types.unshift(type);
  }
  return types.length === 0 ? undefined : types;
}

export function readAnonymous(
  requests: Requests,
  table: TableName,
  name: string,
  set: Attributes,
): AnonymousSet | undefined {
  const magic = readU32(set, NFTA_SET.keyType);
  const flags = readU32(set, NFTA_SET.flags);
  const type = (Object.keys(VALUE_TYPES) as ValueType[]).find((key) => VALUE_TYPES[key].magic === magic);
  if (type === undefined || (flags & SET_FLAG.map) !== 0) return undefined;
  const interval = (flags & SET_FLAG.interval) !== 0;
  return { type, interval, elements: readAnonymousElements(requests, table, name, type, interval) };
}

/** @throws KernelError ENOENT when there is no table */
export function dumpCounters(requests: Requests, table: TableName): ReadonlyMap<CounterName, CounterValue> {
  requests.get(NFT_MSG.getTable, (out) => out.text(NFTA_TABLE.name, table));
  const counters = new Map<CounterName, CounterValue>();
  const objects = requests.dump(NFT_MSG.getObj, (out) => {
    out.text(NFTA_OBJ.table, table);
    out.u32(NFTA_OBJ.type, NFT_OBJECT_COUNTER);
  });
  for (const object of objects) {
    const data = readAttributes(object.get(NFTA_OBJ.data) ?? Buffer.alloc(0));
    counters.set(readText(object, NFTA_OBJ.name) as CounterName, {
      packets: data.get(NFTA_COUNTER.packets)?.readBigUInt64BE() ?? 0n,
      bytes: data.get(NFTA_COUNTER.bytes)?.readBigUInt64BE() ?? 0n,
    });
  }
  return counters;
}
