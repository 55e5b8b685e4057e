// What a restarted node makes of its blocks: the datastore says who owns a block, the journal says what was promised
// from it. Nothing that is promised to a live pod is dropped here.
import type { IpBlock } from '../../datastore/resources/ip-block.ts';
import { type Cidr, cidrContains, cidrFamily, cidrLength, cidrOf, cidrOverlaps } from '../../lib/cidr.ts';
import { type Ip, ipFamily } from '../../lib/ip.ts';
import type { Assignment } from '../assignment.ts';
import { isOwnedBy, isToRenew, type NodeIdentity, whyNotOwn } from './node-identity.ts';

export type KnownBlock = { readonly cidr: Cidr; readonly pool: string };

/** A pod has an address of a block that the datastore gives to another node. */
export type BlockConflict = {
  readonly assignment: Assignment;
  readonly ip: Ip;
  readonly block: Cidr;
  readonly owner: string;
};

/** A sentence, with what to do. */
export type StrandedBlock = { readonly cidr: Cidr; readonly why: string };

export type Adoption = {
  /** Blocks that the datastore gives to this node. */
  readonly own: readonly KnownBlock[];
  /**
   * Those of `own` that do not stand under this agent as it is now: under an earlier life of it, under another uid of its
   * Node or none, or under no holder, when an older agent claimed them.
   */
  readonly renew: readonly IpBlock[];
  /** Blocks of this name that are not this agent's: perhaps another machine uses them. */
  readonly stranded: readonly StrandedBlock[];
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
  const { node } = given;
  const mine = given.stored.filter(({ spec }) => isOwnedBy(spec, node, isKnown.has(spec.cidr)));
  const own = mine.map(({ spec }) => blockOf(spec));
  const foreign = given.stored.filter((block) => !mine.includes(block)).map(({ spec }) => spec);
  const ownerOf = indexBlocks(foreign.map((spec) => ({ cidr: spec.cidr, node: ownerName(spec.node, node.name) })));
  const held = given.assignments.flatMap((assignment) => assignment.ips.map((ip) => ({ assignment, ip })));
  const missing = given.known.filter(({ cidr }) => !own.some((block) => block.cidr === cidr));
  const isWanted = ({ cidr }: KnownBlock): boolean =>
    [...held.map(({ ip }) => ip), ...given.keptOut].some((ip) => cidrContains(cidr, ip)) &&
    ![...own, ...foreign].some((block) => cidrOverlaps(block.cidr, cidr));
  return {
    own,
    renew: mine.filter(({ spec }) => isToRenew(spec, node)),
    stranded: foreign
      .filter((spec) => spec.node === node.name)
      .map((spec) => ({ cidr: spec.cidr, why: whyNotOwn(spec, node) })),
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

/** Whose a block is that is not this agent's. */
export const ownerName = (node: string, own: string): string => (node === own ? `${node} (another agent)` : node);

const blockOf = ({ cidr, pool }: KnownBlock): KnownBlock => ({ cidr, pool });
