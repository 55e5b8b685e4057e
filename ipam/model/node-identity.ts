// Who owns a block: the Node of this name, and of this uid where both are known, and of this name the agent that the block
// names as its holder. A Node that was deleted and made again under its old name is another one, perhaps another machine,
// while the old one may still run; and two machines may be given one name.
import { type IpBlock, ipBlockName } from '../../datastore/resources/ip-block.ts';
import { isEarlierLife, isSameHolder, type OwnHolder } from './block-holder.ts';

/** `uid` absent: the datastore does not know the Node, or cannot read it. */
export type NodeIdentity = NodeObject & { readonly holder: OwnHolder };

export type NodeObject = { readonly name: string; readonly uid?: string };

/**
 * Whether a block is this agent's own. Of one that its journal does not have nothing but the uid tells that it is not an
 * earlier machine's of the same name, which may still run; unless it was this very journal that claimed it.
 */
export function isOwnedBy(spec: IpBlock['spec'], own: NodeIdentity, isInJournal: boolean): boolean {
  const { node, cidr, holder } = spec;
  if (node !== own.name) return false;
  if (holder !== undefined && !isEarlierLife(holder, cidr, own.holder)) return false;
  if (isInJournal || holder?.journal === own.holder.record.journal) return true;
  return own.uid !== undefined && !isOfNamesake(spec, own);
}

/** The block belongs to an earlier Node of the same name. */
export const isOfNamesake = ({ node, nodeUid }: IpBlock['spec'], own: NodeObject): boolean =>
  node === own.name && nodeUid !== undefined && own.uid !== undefined && nodeUid !== own.uid;

/** An own block that does not name this agent and its Node as they are now. */
export const isToRenew = ({ nodeUid, holder }: IpBlock['spec'], { uid, holder: own }: NodeIdentity): boolean =>
  (uid !== undefined && nodeUid !== uid) || !isSameHolder(holder, own.record);

/** Why a block of this name is not this agent's own, and what to do. */
export function whyNotOwn(spec: IpBlock['spec'], own: NodeIdentity): string {
  const { cidr, node, holder } = spec;
  const cannot = `Cannot use address block "${cidr}" of node "${node}"`;
  const remedy = `If nothing of it runs any more, delete IPBlock "${ipBlockName(cidr)}"`;
  if (holder !== undefined && !isEarlierLife(holder, cidr, own.holder)) {
    const where = `boot "${holder.bootId}", network namespace ${holder.netns}`;
    return `${cannot}: another agent of this name holds it (journal "${holder.journal}", ${where}), expected journal "${own.holder.record.journal}". ${remedy}`;
  }
  if (own.uid === undefined)
    return `${cannot}: the datastore has no such Node that can be read, and the journal lacks the block`;
  return `${cannot}: an earlier Node of this name claimed it, and its machine may still have pods. ${remedy}`;
}
