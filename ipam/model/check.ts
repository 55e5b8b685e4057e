// Compares what the journals, the kernels, the datastore and the container runtimes say about addresses, and names every
// difference. It is read at several moments, so that an ADD or a DEL under way may show up; nothing is released on its word alone.
import { type ResourceKey, resourceKey } from '../../datastore/resources/index.ts';
import { type IpBlock, ipBlockName } from '../../datastore/resources/ip-block.ts';
import type { Node } from '../../datastore/resources/node.ts';
import { type Pod, podIps } from '../../datastore/resources/pod.ts';
import { type Cidr, cidrContains } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import { CONTAINER_NAMESPACE, partsOf } from '../handle.ts';
import type { IpamView } from '../view.ts';
import { replacedIn } from './leaked-assignments.ts';
import { isOfNamesake, type NodeObject } from './node-identity.ts';

/** `release` says what can be set free. */
export type Finding = {
  readonly kind:
    | 'leaked-address'
    | 'address-without-link'
    | 'link-without-assignment'
    | 'sandbox-without-address'
    | 'runtime-differs'
    | 'address-twice'
    | 'address-outside-blocks'
    | 'status-differs'
    | 'pod-without-address'
    | 'pod-unknown'
    | 'block-of-no-node'
    | 'block-of-earlier-node'
    | 'block-of-other-agent'
    | 'block-not-held'
    | 'block-not-granted'
    | 'kept-out'
    | 'not-checked';
  readonly why: string;
  readonly release?: AddressRelease | BlockRelease;
};

export type AddressRelease = {
  readonly kind: 'address';
  readonly node: string;
  readonly handle: string;
  readonly sequence: number;
};
export type BlockRelease = { readonly kind: 'block'; readonly block: string; readonly version: string };

/** A pod's sandbox as its container runtime tells it. */
export type Sandbox = {
  /** CNI_CONTAINERID of its attachments. */
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
  /** It runs, and has a network of its own. */
  readonly isAttached: boolean;
  readonly ips: readonly string[];
};

export type CheckInput = {
  /** By node; a node that is not here was not asked. */
  readonly runtimes?: ReadonlyMap<string, readonly Sandbox[]>;
  readonly views: readonly IpamView[];
  readonly blocks: readonly IpBlock[];
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  /** Nodes, Pods and IPBlocks that are there and cannot be read. Absent: none. */
  readonly unreadable?: ReadonlySet<ResourceKey>;
};

/** Sorted by sentence. */
export function checkIpam(input: CheckInput): readonly Finding[] {
  const findings = [
    ...input.views.flatMap((view) => [...nodeFindings(view, input)]),
    ...twice(input),
    ...blockFindings(input),
  ];
  return findings.sort((a, b) => (a.why < b.why ? -1 : 1));
}

function* nodeFindings(view: IpamView, input: CheckInput): Iterable<Finding> {
  const { pods, blocks, runtimes, unreadable } = input;
  const { node } = view;
  const linked = new Set(view.links.map(({ handle }) => handle));
  // A link that lost its signature is still somebody's.
  const linkedIps = new Set(view.links.flatMap(({ ips }) => ips));
  const assigned = view.assignments.map(({ assignment }) => assignment);
  const isReplaced = replacedIn(assigned.filter(({ handle }) => linked.has(handle)));
  const journal = new Set<string>(assigned.map(({ handle }) => handle));
  const own = view.blocks.map(({ cidr }) => cidr);
  const sandboxes = runtimes?.get(node);
  if (sandboxes !== undefined) yield* sandboxFindings(view, sandboxes);
  for (const { assignment, netnsExists } of view.assignments) {
    const { handle, namespace, pod, ips, sequence } = assignment;
    const who = `${ips.join(', ')} of pod "${namespace}/${pod}" on node "${node}"`;
    // Containers without a pod are of another runtime than those that were asked.
    const isPod = namespace !== CONTAINER_NAMESPACE;
    const asked = isPod ? sandboxes : undefined;
    const inNetns = netnsExists && !isReplaced(assignment);
    const isKnown = asked?.some(({ id }) => id === partsOf(assignment.handle).containerId) ?? inNetns;
    const hasLink = linked.has(handle) || ips.some((ip) => linkedIps.has(ip));
    const release = { kind: 'address', node, handle, sequence } as const;
    if (!isKnown && !hasLink) {
      const missing = asked === undefined ? 'network namespace' : 'container of the runtime';
      yield { kind: 'leaked-address', why: `${who}: neither link nor ${missing} is there`, release };
      continue;
    }
    if (!isKnown && asked !== undefined) {
      yield {
        kind: 'leaked-address',
        why: `${who}: the runtime has no such container; DEL or GC removes its link too`,
      };
    }
    if (isKnown && !hasLink && assignment.state === 'attached') {
      yield { kind: 'address-without-link', why: `${who}: its link is not there` };
    }
    for (const ip of ips.filter((each) => !own.some((cidr) => cidrContains(cidr, each)))) {
      yield {
        kind: 'address-outside-blocks',
        why: `${ip} of pod "${namespace}/${pod}": not in a block of node "${node}"`,
      };
    }
    const object = pods.find(({ metadata }) => metadata.namespace === namespace && metadata.name === pod);
    if (object === undefined) {
      const isThere = unreadable?.has(resourceKey('Pod', namespace, pod)) === true;
      if (isPod && !isThere) yield { kind: 'pod-unknown', why: `${who}: the datastore has no such Pod` };
    } else {
      const told = podIps(object);
      if (told.length > 0 && object.spec.nodeName === node && told.some((ip) => !ips.includes(ip))) {
        yield { kind: 'status-differs', why: `${who}: the status of the Pod says ${told.join(', ')}` };
      }
    }
  }
  yield* podFindings(view, input);
  for (const { name, handle, ips } of view.links) {
    if (handle !== undefined && journal.has(handle)) continue;
    const why = `link "${name}" on node "${node}" (${ips.join(', ') || 'no address'}): the journal has no assignment for it`;
    yield { kind: 'link-without-assignment', why };
  }
  for (const ip of view.keptOut)
    yield { kind: 'kept-out', why: `${ip} on node "${node}": kept out, something unknown has it` };
  for (const cidr of own) {
    const owner = blocks.find(({ spec }) => spec.cidr === cidr)?.spec.node;
    if (owner === node) continue;
    const isThere = unreadable?.has(resourceKey('IPBlock', undefined, ipBlockName(cidr))) === true;
    const nobody = isThere ? 'its IPBlock cannot be read' : 'nobody has it';
    const says = owner === undefined ? nobody : `node "${owner}" has it`;
    yield { kind: 'block-not-granted', why: `block ${cidr} is used by node "${node}": the datastore says ${says}` };
  }
}

/** Pods that run without network, though their status tells of one. */
function* podFindings(view: IpamView, { views, pods, blocks }: CheckInput): Iterable<Finding> {
  const { node } = view;
  // A pod of machines that share a name has its address in one journal.
  const named = views.filter((each) => each.node === node);
  if (named[0] !== view) return;
  const own = named.flatMap((each) => each.blocks);
  const cidrs = [...own.map(({ cidr }) => cidr), ...blocks.map(({ spec }) => spec.cidr)];
  const assigned = new Set(
    named.flatMap((each) => each.assignments.map(({ assignment }) => `${assignment.namespace}/${assignment.pod}`)),
  );
  for (const pod of pods) {
    const { metadata, spec, status } = pod;
    const key = `${metadata.namespace}/${metadata.name}`;
    if (spec.nodeName !== node || spec.hostNetwork === true || assigned.has(key)) continue;
    // DEL comes before the object goes.
    const isEnding = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    if (isEnding || metadata.deletionTimestamp !== undefined) continue;
    const ips = podIps(pod).filter((ip) => cidrs.some((cidr) => cidrContains(cidr, ip)));
    if (ips.length === 0) continue;
    const why = `${ips.join(', ')} of pod "${key}" on node "${node}": its status says so, the journal has no address of it`;
    yield { kind: 'pod-without-address', why };
  }
}

function* sandboxFindings(view: IpamView, sandboxes: readonly Sandbox[]): Iterable<Finding> {
  const ips = new Map<string, readonly Ip[]>();
  for (const { assignment } of view.assignments) {
    const { containerId } = partsOf(assignment.handle);
    ips.set(containerId, [...(ips.get(containerId) ?? []), ...assignment.ips]);
  }
  for (const { id, namespace, pod, ips: told } of sandboxes.filter(({ isAttached }) => isAttached)) {
    const who = `pod "${namespace}/${pod}" (${id.slice(0, 13)}) on node "${view.node}"`;
    const known = ips.get(id);
    if (known === undefined) {
      yield { kind: 'sandbox-without-address', why: `${who}: the runtime runs it, the journal has no address of it` };
    } else if (told.some((ip) => !known.some((each) => each === ip))) {
      yield {
        kind: 'runtime-differs',
        why: `${who}: the runtime says ${told.join(', ')}, the journal ${known.join(', ')}`,
      };
    }
  }
}

function* twice({ views }: CheckInput): Iterable<Finding> {
  const holders = new Map<Ip, string>();
  for (const { node, assignments } of views) {
    for (const { assignment } of assignments) {
      const who = `pod "${assignment.namespace}/${assignment.pod}" on node "${node}"`;
      for (const ip of assignment.ips) {
        const other = holders.get(ip);
        if (other !== undefined) yield { kind: 'address-twice', why: `${ip}: ${other} has it, and ${who}` };
        holders.set(ip, who);
      }
    }
  }
}

function* blockFindings(input: CheckInput): Iterable<Finding> {
  const { views, blocks, nodes, unreadable } = input;
  const asked = new Set(views.map(({ node }) => node));
  const identities = new Map<string, NodeObject>(nodes.map((node) => [node.metadata.name, identityOf(node)]));
  for (const { node: name } of blocks.map(({ spec }) => spec)) {
    if (unreadable?.has(resourceKey('Node', undefined, name)) === true) identities.set(name, { name });
  }
  for (const node of new Set(blocks.map(({ spec }) => spec.node))) {
    if (identities.has(node) && !asked.has(node)) {
      yield { kind: 'not-checked', why: `node "${node}": its agent was not asked, or does not answer` };
    }
  }
  for (const block of blocks) {
    const { cidr, node } = block.spec;
    const owner = identities.get(node);
    // More than one: machines that share a name.
    const named = views.filter((each) => each.node === node);
    const [view] = named;
    const holds = named.some((each) => each.blocks.some((own) => own.cidr === cidr));
    const stranded = named.flatMap((each) => each.stranded).find((each) => each.cidr === cidr);
    const of = `block ${cidr} of node "${node}"`;
    if (owner === undefined) {
      const why = `${of}: there is no such Node`;
      const found = unlessUsed(block, why, input);
      // A datastore without Nodes was emptied or exchanged, or is being filled.
      const isDoubtful = identities.size === 0 && found.release !== undefined;
      yield { kind: 'block-of-no-node', ...(isDoubtful ? { why: `${why}, nor any other` } : found) };
    } else if (isOfNamesake(block.spec, owner) && !holds) {
      const why = `${of}: an earlier Node of this name claimed it`;
      // It may be this very machine that has the block, with pods in it.
      if (view === undefined)
        yield { kind: 'block-of-earlier-node', why: `${why}, and its agent was not asked, or does not answer` };
      // That node's machine may still run, and the agent that was asked is another.
      else if (block.spec.holder !== undefined) yield { kind: 'block-of-other-agent', why: stranded?.why ?? why };
      else yield { kind: 'block-of-earlier-node', ...unlessUsed(block, why, input) };
    } else if (stranded !== undefined) {
      // Never offered for release: the other agent is not asked, and containers without a Pod are seen by nobody else.
      yield { kind: 'block-of-other-agent', why: stranded.why };
    } else if (view !== undefined && !holds) {
      yield { kind: 'block-not-held', why: `${of}: its agent does not know it; its next start takes it up` };
    }
  }
}

function unlessUsed(block: IpBlock, why: string, input: CheckInput): Pick<Finding, 'why' | 'release'> {
  const use = useOf(block.spec.cidr, input);
  return use === undefined ? { why, ...releaseOf(block) } : { why: `${why}, but ${use}` };
}

function releaseOf({ metadata }: IpBlock): Pick<Finding, 'release'> {
  const { name, resourceVersion } = metadata;
  return resourceVersion === undefined ? {} : { release: { kind: 'block', block: name, version: resourceVersion } };
}

function identityOf({ metadata }: Node): NodeObject {
  return { name: metadata.name, ...(metadata.uid === undefined ? {} : { uid: metadata.uid }) };
}

/** Who uses the block, in words, as far as anybody tells; `undefined`: nobody does. */
function useOf(cidr: Cidr, { pods, views, unreadable = new Set() }: CheckInput): string | undefined {
  const inside = (ip: Ip): boolean => cidrContains(cidr, ip);
  const pod = pods.find((each) => each.spec.hostNetwork !== true && podIps(each).some(inside));
  if (pod !== undefined) return `Pod "${pod.metadata.namespace}/${pod.metadata.name}" has an address of it`;
  for (const key of unreadable) {
    const [kind, namespace, name] = key.split('/');
    if (kind === 'Pod') return `Pod "${namespace}/${name}" cannot be read and may have an address of it`;
  }
  for (const { node, blocks, assignments, links, keptOut } of views) {
    const assigned = assignments.find(({ assignment }) => assignment.ips.some(inside))?.assignment;
    const link = links.find(({ ips }) => ips.some(inside));
    if (assigned !== undefined)
      return `pod "${assigned.namespace}/${assigned.pod}" on node "${node}" has an address of it`;
    if (link !== undefined) return `link "${link.name}" on node "${node}" has an address of it`;
    if (keptOut.some(inside)) return `something on node "${node}" has an address of it`;
    if (blocks.some((each) => each.cidr === cidr)) return `the agent of node "${node}" assigns from it`;
  }
  return undefined;
}
