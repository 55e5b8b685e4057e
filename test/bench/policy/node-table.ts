// The policy engine of one node as the agent has it, with the kernel's table in a namespace of the bench: objects and pod
// wirings go in as events, and what they change is committed.
import type { Attachment } from '../../../cni/attachment.ts';
import { keyOf } from '../../../datastore/resources/index.ts';
import { parseResource } from '../../../datastore/resources/parse.ts';
import type { Event } from '../../../felix/model/events.ts';
import { createModel, type Model } from '../../../felix/model/model.ts';
import { FIRST_GENERATION } from '../../../felix/render/policy/generation.ts';
import { POLICY_TABLE } from '../../../felix/render/policy/names.ts';
import type { Handle } from '../../../ipam/handle.ts';
import { type Ip, ipv4FromNumber } from '../../../lib/ip.ts';
import { hostIfName, type IfName } from '../../../lib/linux/if-name.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import type { NftChange } from '../../../lib/nftables/ast.ts';
import { createBatch } from '../../../lib/nftables/batch.ts';
import { type Nftables, openNftables } from '../../../lib/nftables/nfnetlink.ts';
import type { NftOp } from '../../../lib/nftables/ops.ts';
import { planChanges, planReplacement } from '../../../lib/nftables/plan.ts';
import { unwrap } from '../../../lib/result.ts';
import type { TestNetns } from '../../support/netns.ts';
import type { Scope } from '../types.ts';

export type NodeTable = {
  readonly model: Model;
  readonly nft: Nftables;
  /** Takes an object as the datastore's text has it. */
  readonly put: (text: string) => void;
  readonly remove: (text: string) => void;
  readonly wire: (namespace: string, pod: string, ip: Ip) => void;
  readonly unwire: (namespace: string, pod: string, ip: Ip) => void;
  /** Brings what changed into the kernel in one batch, and answers what that was. */
  readonly commit: () => readonly NftChange[];
  /** Replaces the whole table. */
  readonly replace: () => void;
};

export function nodeTable(scope: Scope, { path }: TestNetns): NodeTable {
  const nft = inNetns(path, openNftables);
  scope.after(nft.close);
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const tell = (text: string, presence: 'there' | 'gone'): void => {
    const value = unwrap(parseResource(JSON.parse(text)));
    const key = keyOf(value);
    model.accept({ kind: 'resource', change: { key, value: presence === 'there' ? value : undefined }, version: '1' });
  };
  const wiring = (kind: 'attached' | 'detached', namespace: string, pod: string, ip: Ip): void => {
    model.accept({ kind, attachment: attachmentOf(namespace, pod, ip) } satisfies Event);
  };
  return {
    model,
    nft,
    put: (text) => tell(text, 'there'),
    remove: (text) => tell(text, 'gone'),
    wire: (namespace, pod, ip) => wiring('attached', namespace, pod, ip),
    unwire: (namespace, pod, ip) => wiring('detached', namespace, pod, ip),
    commit: () => {
      const changes = model.drainNft('bump-if-needed');
      nft.commit(planChanges(POLICY_TABLE, changes));
      return changes;
    },
    replace: () => {
      model.drainNft('bump-if-needed');
      nft.commit(planReplacement({ table: POLICY_TABLE, objects: model.nftObjects() }));
    },
  };
}

/** Netlink messages and bytes of a batch, the two that begin and end it included. */
export function sizeOfBatch(
  model: Model,
  ops: readonly NftOp[],
): { readonly messages: number; readonly bytes: number } {
  const batch = createBatch((_table, name) => {
    for (const object of model.nftObjects().values()) if (object.kind === 'set' && object.name === name) return object;
    throw new Error(`Cannot find set "${name}": it is not in the model, expected one that the bench made`);
  });
  const { bytes } = batch.encode(ops);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let messages = 0;
  for (let at = 0; at < view.length; at += (view.readUInt32LE(at) + 3) & ~3) messages++;
  return { messages, bytes: bytes.length };
}

/** The pod of a number, counted from 10.244.0.0. */
export const podIp = (number: number): Ip => ipv4FromNumber(0x0a_f4_00_00 + number);

export const podText = (pod: {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: Ip;
  readonly node: string;
}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: pod.namespace, name: pod.name, labels: pod.labels },
    spec: { nodeName: pod.node, containers: [{ name: 'main', ports: [{ containerPort: 80 }] }] },
    status: { phase: 'Running', podIP: pod.ip, podIPs: [{ ip: pod.ip }] },
  });

export const policyText = (namespace: string, name: string, spec: unknown): string =>
  JSON.stringify({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { namespace, name }, spec });

export const namespaceText = (name: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

const attachmentOf = (namespace: string, pod: string, ip: Ip): Attachment => ({
  handle: `${namespace}.${pod}` as Handle,
  containerId: pod,
  ifName: 'eth0' as IfName,
  netns: `/run/netns/${pod}`,
  namespace,
  pod,
  hostIfName: hostIfName(namespace, pod),
  ips: [ip],
  mac: '',
});
