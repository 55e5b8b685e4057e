// A node's address management over a real embedded datastore in a directory of its own, for tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import type { ResourceKey } from '../../datastore/resources/index.ts';
import { type IpPool, ipPoolSchema } from '../../datastore/resources/ip-pool.ts';
import { type Node, nodeSchema } from '../../datastore/resources/node.ts';
import type { Store } from '../../datastore/store.ts';
import { createIpam, type IpamOptions } from '../../ipam/allocator.ts';
import { handleOf } from '../../ipam/handle.ts';
import type { AssignRequest, Ipam } from '../../ipam/ipam.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';

export type IpamWorld = {
  readonly directory: string;
  readonly store: Store;
  /** Opens the node's address management; closed when the test ends. */
  readonly open: (node: string, options?: Partial<IpamOptions>) => Promise<Ipam>;
  readonly journalPath: (node: string) => string;
  /** Makes a stored object one that does not pass its schema, behind the back of watches. */
  readonly damage: (key: ResourceKey) => void;
};

/**
 * The pools and the Nodes are in the datastore, and every node sees the pools; everything is removed after `t`. Absent
 * `nodes`: none, which no node needs that starts with an empty datastore.
 */
export async function ipamWorld(
  t: TestContext,
  pools: readonly IpPool[],
  nodes: readonly string[] = [],
): Promise<IpamWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'margay-ipam-'));
  const store = openEmbeddedStore({ path: join(directory, 'store.db') });
  const opened: Ipam[] = [];
  t.after(() => {
    for (const ipam of opened) close(ipam);
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  for (const pool of pools) await store.create(pool);
  for (const name of nodes) await store.create(nodeObject(name));
  const journalPath = (node: string): string => join(directory, node, 'journal.db');
  return {
    directory,
    store,
    journalPath,
    damage: (key) => {
      const sqlite = new DatabaseSync(join(directory, 'store.db'));
      sqlite.prepare('UPDATE objects SET json = ? WHERE key = ?').run('{"metadata":{}}', key);
      sqlite.close();
    },
    open: async (node, options) => {
      const ipam = await createIpam({
        store,
        node,
        journalPath: journalPath(node),
        pools: () => pools,
        log: pino({ level: 'silent' }),
        ...options,
      });
      opened.push(ipam);
      return ipam;
    },
  };
}

export function ipPool(name: string, cidr: string, spec: object = {}): IpPool {
  return ipPoolSchema.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr, ...spec },
  });
}

export const nodeObject = (name: string): Node =>
  nodeSchema.parse({ apiVersion: 'v1', kind: 'Node', metadata: { name } });

/** A request for the pod of that name, one IPv4 address unless told otherwise. */
export const podRequest = (pod: string, more: Partial<AssignRequest> = {}): AssignRequest => ({
  handle: handleOf({ network: 'margay', containerId: pod, ifName: 'eth0' }),
  namespace: 'shop',
  pod,
  netns: `/run/netns/${pod}`,
  hostIfName: hostIfName('shop', pod),
  families: [4],
  ...more,
});

function close(ipam: Ipam): void {
  try {
    ipam.close();
  } catch {
    // The test closed it itself.
  }
}
