// Lists paths of a table, of both families.
import { type Cidr, cidrFamily } from '../../lib/cidr.ts';
import type { RibPath } from '../model/types.ts';
import type { Codec, PathQuery } from './codec.ts';
import type { Rpc } from './rpc.ts';

export type ReadOptions = Pick<PathQuery, 'adjacent'> & {
  /** Tells iBGP from eBGP. */
  readonly ownAsn: number;
  /** Only those of exactly these. Absent: all. */
  readonly prefixes?: Iterable<Cidr>;
  readonly signal?: AbortSignal | undefined;
};

/** A gobgpd and how to speak to it. */
export type Connection = { readonly rpc: Rpc; readonly codec: Codec };

/** @throws BgpError, or the signal's reason */
export async function readPaths(
  { rpc, codec }: Connection,
  { ownAsn, prefixes, adjacent, signal }: ReadOptions,
): Promise<readonly RibPath[]> {
  const wanted = prefixes === undefined ? undefined : [...prefixes];
  const paths: RibPath[] = [];
  for (const family of [4, 6] as const) {
    const own = wanted?.filter((prefix) => cidrFamily(prefix) === family);
    // An empty list would ask for everything.
    if (own?.length === 0) continue;
    const query = { family, ...(own && { prefixes: own }), ...(adjacent && { adjacent }) };
    for await (const some of rpc.stream(codec.listPath(ownAsn), query, { signal })) paths.push(...some);
  }
  return paths;
}
