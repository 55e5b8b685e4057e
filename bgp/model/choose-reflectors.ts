// Which nodes reflect routes when the controller is asked to choose: some of each zone, as few changes as can be, and first
// the new ones. One that goes, goes when enough others of its zone have been there for a while, their sessions with them.
import { createHash } from 'node:crypto';
import {
  NODE_CHOSEN_REFLECTOR_ANNOTATION,
  NODE_CLUSTER_ID_ANNOTATION,
  type Node,
} from '../../datastore/resources/node.ts';
import type { Ip } from '../../lib/ip.ts';

export type ReflectorsInput = {
  readonly nodes: readonly Node[];
  /** How many each zone shall have; 0: none are asked for. */
  readonly perZone: number;
  /** Whether a node may be chosen, by its labels. */
  readonly mayReflect: (node: Node) => boolean;
  readonly nowMs: number;
  /** How long a new reflector takes until all nodes have their sessions with it. */
  readonly settleMs: number;
};

export type ReflectorChanges = {
  readonly add: readonly { readonly node: string; readonly clusterId: Ip }[];
  readonly remove: readonly string[];
};

const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** The next step from where the nodes are; nothing when they are where they should be. Sorted by name. */
export function chooseReflectors(input: ReflectorsInput): ReflectorChanges {
  const zones = [...Map.groupBy(input.nodes, zoneOf)].sort(([a], [b]) => (a < b ? -1 : 1));
  const changes = zones.map(([zone, nodes]) => changesOfZone(zone, nodes, input));
  return {
    add: changes.flatMap(({ add }) => add).sort((a, b) => (a.node < b.node ? -1 : 1)),
    remove: changes.flatMap(({ remove }) => remove).sort(),
  };
}

function changesOfZone(zone: string, nodes: readonly Node[], input: ReflectorsInput): ReflectorChanges {
  const { perZone, mayReflect, nowMs, settleMs } = input;
  const isGood = (node: Node): boolean => isUp(node) && mayReflect(node);
  const byUsers = nodes.filter((node) => clusterIdOf(node) !== undefined && chosenAt(node) === undefined);
  const ours = nodes.filter((node) => chosenAt(node) !== undefined).sort(bySeniority);
  const places = Math.max(0, perZone - byUsers.filter(isUp).length);
  const staying = ours.filter(isGood).slice(0, places);
  const free = nodes.filter((node) => clusterIdOf(node) === undefined && chosenAt(node) === undefined && isGood(node));
  const added = free.sort(byRank).slice(0, places - staying.length);
  // Make before break: whoever takes the place of another has been there for a while.
  const isSettled = (node: Node): boolean => nowMs - (chosenAt(node) ?? nowMs) >= settleMs;
  const replaced = added.length === 0 && staying.every(isSettled);
  const clusterId = clusterIdOfZone(zone);
  return {
    add: added.map(({ metadata }) => ({ node: metadata.name, clusterId })),
    // The last one of a zone stays even when it is bad: it may come back, and nobody could take its place.
    remove:
      replaced && (staying.length > 0 || places === 0)
        ? ours.filter((node) => !staying.includes(node)).map(({ metadata }) => metadata.name)
        : [],
  };
}

const zoneOf = ({ metadata }: Node): string => metadata.labels?.[ZONE_LABEL] ?? '';

const clusterIdOf = ({ metadata }: Node): string | undefined => metadata.annotations?.[NODE_CLUSTER_ID_ANNOTATION];

/** Milliseconds since the epoch; `undefined`: not chosen by the controller. */
function chosenAt({ metadata }: Node): number | undefined {
  const text = metadata.annotations?.[NODE_CHOSEN_REFLECTOR_ANNOTATION];
  return text === undefined ? undefined : Date.parse(text) || 0;
}

/** In order to take part: ready as far as it says, and not about to go. */
function isUp({ metadata, spec, status }: Node): boolean {
  if (metadata.deletionTimestamp !== undefined || spec?.['unschedulable'] === true) return false;
  const conditions: unknown = status?.['conditions'];
  const all: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  const ready = all.find((condition) => fieldOf(condition, 'type') === 'Ready');
  return ready === undefined || fieldOf(ready, 'status') === 'True';
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

function bySeniority(a: Node, b: Node): number {
  return (chosenAt(a) ?? 0) - (chosenAt(b) ?? 0) || byRank(a, b);
}

/** By a hash of the name: neighbours in name order, often one rack, are not chosen together. */
function byRank(a: Node, b: Node): number {
  const [first, second] = [hashOf(a.metadata.name), hashOf(b.metadata.name)];
  return first < second ? -1 : first > second ? 1 : 0;
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Inside 244.0.0.0/8, which no host has. */
function clusterIdOfZone(zone: string): Ip {
  const [a, b, c] = createHash('sha256').update(zone).digest();
  return `244.${a}.${b}.${c}` as Ip;
}
