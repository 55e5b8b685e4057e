// Reads some chains and sets of a table back from the kernel, at the price of these alone.
import { KernelError } from '../linux/kernel-error.ts';
import { type NftKey, type NftObject, nftKey, type Ruleset, type TableName } from './ast.ts';
import { type Attributes, readText, readU32 } from './attributes.ts';
import { readAnonymous, readChain, readConsistently, readRule, readSet, readTable } from './dump.ts';
import { dumpElements } from './dump-elements.ts';
import type { Requests } from './requests.ts';
import type { Parts } from './touched.ts';
import { NFT_MSG, NFTA_CHAIN, NFTA_RULE, NFTA_SET, SET_FLAG } from './uapi.ts';

const ENOENT = 2;

/**
 * The chains with their rules and the sets with their elements that are there; one consistent state. A set that is part
 * of a rule is an `unknown` object here. @throws KernelError ENOENT when there is no table
 */
export const dumpParts = (requests: Requests, table: TableName, parts: Parts): Ruleset =>
  readConsistently(requests, table, () => {
    const objects = new Map<NftKey, NftObject>();
    const present = readTable(requests, table);
    for (const object of readParts(requests, table, parts)) objects.set(nftKey(object), object);
    return { table: present, objects };
  });

function* readParts(requests: Requests, table: TableName, { chains, sets }: Parts): Generator<NftObject> {
  for (const name of sets) {
    const attributes = getSet(requests, table, name);
    if (attributes === undefined) continue;
    const set = readSet(attributes);
    yield set;
    if (set.kind === 'set') yield* dumpElements(requests, table, set);
  }
  for (const name of chains) {
    const chain = present(() =>
      requests.get(NFT_MSG.getChain, (out) => {
        out.text(NFTA_CHAIN.table, table);
        out.text(NFTA_CHAIN.name, name);
      }),
    );
    if (chain === undefined) continue;
    const rules = requests.dump(NFT_MSG.getRule, (out) => {
      out.text(NFTA_RULE.table, table);
      out.text(NFTA_RULE.chain, name);
    });
    const resolve = (setName: string): ReturnType<typeof readAnonymous> => {
      const set = getSet(requests, table, setName);
      const isAnonymous = set !== undefined && (readU32(set, NFTA_SET.flags) & SET_FLAG.anonymous) !== 0;
      return isAnonymous ? readAnonymous(requests, table, setName, set) : undefined;
    };
    const own = rules.filter((rule) => readText(rule, NFTA_RULE.chain) === name);
    yield readChain(
      chain,
      own.map((rule) => readRule(rule, resolve)),
    );
  }
}

const getSet = (requests: Requests, table: TableName, name: string): Attributes | undefined =>
  present(() =>
    requests.get(NFT_MSG.getSet, (out) => {
      out.text(NFTA_SET.table, table);
      out.text(NFTA_SET.name, name);
    }),
  );

function present(read: () => Attributes): Attributes | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENOENT) return undefined;
    throw error;
  }
}
