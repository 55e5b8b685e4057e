// Who owns a block: the Node of this name, and of this uid where both are known. A Node that was deleted and made again
// under its old name is another one, perhaps another machine, while the old one may still run.
import type { IpBlock } from '../../datastore/resources/ip-block.ts';

/** `uid` absent: the datastore does not know the Node. */
export type NodeIdentity = { readonly name: string; readonly uid?: string };

/**
 * Whether a block that this machine does not remember is its own. Without a uid of its own nothing tells it from an
 * earlier machine of the same name, which may still run.
 */
export const isOwnedBy = (spec: IpBlock['spec'], own: NodeIdentity): boolean =>
  spec.node === own.name && own.uid !== undefined && !isOfNamesake(spec, own);

/** The block belongs to an earlier Node of the same name. */
export const isOfNamesake = ({ node, nodeUid }: IpBlock['spec'], own: NodeIdentity): boolean =>
  node === own.name && nodeUid !== undefined && own.uid !== undefined && nodeUid !== own.uid;
