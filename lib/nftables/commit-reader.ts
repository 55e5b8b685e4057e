// Reads the kernel's announcements of commits: the changes of one, then the message that ends it and tells who made it.
// Which parts of the table were touched is told only where the messages name them exactly; never less than was touched.
import type { ChainName, SetName, TableName } from './ast.ts';
import { type Attributes, readAttributes, readText, readU32 } from './attributes.ts';
import { messages } from './requests.ts';
import { ALL_TOUCHED, mergeTouched, NOTHING_TOUCHED, type Touched } from './touched.ts';
import { NFNL_SUBSYS_NFTABLES, NFT_MSG, NFTA_ELEM_LIST, NFTA_GEN, NFTA_RULE, NFTA_SET, SET_FLAG } from './uapi.ts';

/** Who made a commit: the address of the socket, and the process in the initial pid namespace. */
export type Author = { readonly portId: number; readonly pid: number };

/** What a commit that ended in this datagram touched; `undefined`: none did, or none that touched the table. */
export type CommitReader = (datagram: Uint8Array) => Touched | undefined;

/** The table's name is the first attribute of every message that is about a table's content. */
const NFTA_ANY_TABLE = 1;
const NFGENMSG_BYTES = 4;
/** Which process it was is told at the end only; by its address a large commit of our own need not be read. */
const NO_PID = 0;
/** What the kernel makes of `__set%d`, the name of each set that is part of a rule. */
const ANONYMOUS = /^__(set|map)\d+$/;

/** Reads datagrams in order. Commits of which `isOwn` tells are passed over. */
export function createCommitReader(table: TableName, isOwn: (author: Author) => boolean): CommitReader {
  let touched: Touched | undefined;
  // They come with a rule, whose chain is named, and are never changed afterwards.
  const madeForRules = new Set<string>();

  const touchedBy = (type: number, attributes: Attributes): Touched => {
    switch (type) {
      case NFT_MSG.newRule:
      case NFT_MSG.delRule:
        return { ...NO_PARTS, chains: new Set([readText(attributes, NFTA_RULE.chain) as ChainName]) };
      case NFT_MSG.newSetElem:
      case NFT_MSG.delSetElem: {
        const set = readText(attributes, NFTA_ELEM_LIST.set);
        return madeForRules.has(set) ? NOTHING_TOUCHED : { ...NO_PARTS, sets: new Set([set as SetName]) };
      }
      case NFT_MSG.newSet: {
        if ((readU32(attributes, NFTA_SET.flags) & SET_FLAG.anonymous) === 0) return ALL_TOUCHED;
        madeForRules.add(readText(attributes, NFTA_SET.name));
        return NOTHING_TOUCHED;
      }
      case NFT_MSG.delSet:
        return ANONYMOUS.test(readText(attributes, NFTA_SET.name)) ? NOTHING_TOUCHED : ALL_TOUCHED;
      default:
        return ALL_TOUCHED;
    }
  };

  return (datagram) => {
    let outcome: Touched | undefined;
    for (const { type, portId, body } of messages(datagram)) {
      if (type >> 8 !== NFNL_SUBSYS_NFTABLES) continue;
      if ((type & 0xff) === NFT_MSG.newGen) {
        if (touched === undefined) continue;
        const pid = readU32(readAttributes(body, NFGENMSG_BYTES), NFTA_GEN.procPid);
        if (!isOwn({ portId, pid })) outcome = mergeTouched(outcome ?? NOTHING_TOUCHED, touched);
        touched = undefined;
        madeForRules.clear();
      } else if (touched?.kind !== 'all' && !isOwn({ portId, pid: NO_PID })) {
        const attributes = readAttributes(body, NFGENMSG_BYTES);
        if (readText(attributes, NFTA_ANY_TABLE) !== table) continue;
        touched = mergeTouched(touched ?? NOTHING_TOUCHED, touchedBy(type & 0xff, attributes));
      }
    }
    return outcome;
  };
}

const NO_PARTS = { kind: 'parts', chains: new Set<ChainName>(), sets: new Set<SetName>() } as const;
