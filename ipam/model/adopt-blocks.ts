// What a restarted node makes of its blocks: the datastore says who owns a block, the journal says what was promised
// from it. Nothing that is promised to a live pod is dropped here.
import type { IpBlock } from '../../datastore/resources/ip-block.ts';
import { type Cidr, cidrContains, cidrFamily, cidrLength, cidrOf, cidrOverlaps } from '../../lib/cidr.ts';
import { type Ip, ipFamily } from '../../lib/ip.ts';
import type { Assignment } from '../assignment.ts';
import { isOwnedBy, type NodeIdentity } from './node-identity.ts';

export type KnownBlock = { readonly cidr: Cidr; readonly pool: string };

/** A pod has an address of a block that the datastore gives to another node. */
export type BlockConflict = {
  readonly assignment: Assignment;
  readonly ip: Ip;
  readonly block: Cidr;
  readonly owner: string;
};

export type Adoption = {
  /** Blocks that the datastore gives to this node. */
  readonly own: readonly KnownBlock[];
  /**
   * Those of `own` that do not stand under the uid that the Node has now: under an earlier one, when this machine had them
   * already, or under none, when they were claimed while the Node was not there.
   */
  readonly renew: readonly IpBlock[];
  /** Blocks of this name that this machine never had: perhaps another machine uses them. */
  readonly stranded: readonly Cidr[];
  /** Blocks that vanished from the datastore while somebody has addresses in them: to be created again. */
  readonly recreate: readonly KnownBlock[];
  /** Blocks of the journal that are not this node's any more. */
  readonly drop: readonly KnownBlock[];
  readonly conflicts: readonly BlockConflict[];
};

export function adoptBlocks(given: {
  readonly node: NodeIdentity;
  readonly stored: readonly IpBlock[];
  readonly known: readonly KnownBlock[];
  readonly assignments: readonly Assignment[];
  /** Addresses that something unknown has here. */
  readonly keptOut: readonly Ip[];
}): Adoption {
  const isKnown = new Set(given.known.map(({ cidr }) => cidr));
  const { name, uid } = given.node;
  const isMine = ({ spec }: IpBlock): boolean =>
    isOwnedBy(spec, given.node) || (spec.node === name && isKnown.has(spec.cidr));
  const mine = given.stored.filter(isMine);
  const own = mine.map(({ spec }) => blockOf(spec));
  const foreign = given.stored.filter((block) => !mine.includes(block)).map(({ spec }) => spec);
  const ownerOf = indexBlocks(foreign);
  const held = given.assignments.flatMap((assignment) => assignment.ips.map((ip) => ({ assignment, ip })));
  const missing = given.known.filter(({ cidr }) => !own.some((block) => block.cidr === cidr));
  const isWanted = ({ cidr }: KnownBlock): boolean =>
    [...held.map(({ ip }) => ip), ...given.keptOut].some((ip) => cidrContains(cidr, ip)) &&
    ![...own, ...foreign].some((block) => cidrOverlaps(block.cidr, cidr));
  return {
    own,
    renew: uid === undefined ? [] : mine.filter(({ spec }) => spec.nodeUid !== uid),
    stranded: foreign.filter(({ node }) => node === name).map(({ cidr }) => cidr),
    recreate: missing.filter(isWanted),
    drop: missing.filter((block) => !isWanted(block)),
    conflicts: held.flatMap(({ assignment, ip }) => {
      const found = ownerOf(ip);
      return found === undefined ? [] : [{ assignment, ip, ...found }];
    }),
  };
}

/** Finds the block around an address without walking through thousands of them. */
function indexBlocks(
  blocks: readonly { readonly cidr: Cidr; readonly node: string }[],
): (ip: Ip) => { readonly block: Cidr; readonly owner: string } | undefined {
  const owners = new Map(blocks.map(({ cidr, node }) => [cidr, node]));
  const shapes = new Map(blocks.map(({ cidr }) => [`${cidrFamily(cidr)}/${cidrLength(cidr)}`, cidr]));
  return (ip) => {
    for (const shape of shapes.values()) {
      if (cidrFamily(shape) !== ipFamily(ip)) continue;
      const block = cidrOf(ip, cidrLength(shape));
      const owner = owners.get(block);
      if (owner !== undefined) return { block, owner };
    }
    return undefined;
  };
}

const blockOf = ({ cidr, pool }: KnownBlock): KnownBlock => ({ cidr, pool });
