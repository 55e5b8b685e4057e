// The policy renderer: turns changes of the model's outputs into changes of the table's objects, one to one, so that
// what a change costs here is what it costs in the model.
import { type Cidr, cidrRange, mergeRanges } from '../../../lib/cidr.ts';
import { ipFamily, ipFromBigInt } from '../../../lib/ip.ts';
import type { IfName } from '../../../lib/linux/if-name.ts';
import { type ChainName, type Element, nftKey } from '../../../lib/nftables/ast.ts';
import type {
  ChainKey,
  EndpointPolicy,
  PolicyChain,
  PolicyChanges,
  Profile,
  ProfileKey,
} from '../../../policy/model/types.ts';
import { BGP_PORT_KEYS, type PortKey } from '../bgp-ports.ts';
import { baseObjects, generationChains } from './base-chains.ts';
import type { LogDenied } from './denials.ts';
import { createElementClaims } from './element-claims.ts';
import { endpointElements } from './endpoint-elements.ts';
import { reachableFrom, reachableFromHooks } from './explain.ts';
import { type Generation, nextGeneration } from './generation.ts';
import { CHAINS, CLOSED_PORTS, NODES, policyChainName, SERVICE_RANGES } from './names.ts';
import { hasPass, renderCounters, renderPolicyChain } from './policy-chain.ts';
import { isOpenProfile, renderProfile } from './profile-chain.ts';
import { elementObjects, setObjects } from './set-objects.ts';
import { createTableRecorder } from './table-recorder.ts';
import type { PolicyRenderer } from './types.ts';

export type RenderOptions = {
  /** The first one that the objects carry. */
  readonly generation: Generation;
  /** Absent: no logging. */
  readonly logDenied?: LogDenied | undefined;
  /** The TCP port of metrics that is closed to pods, on this node and on others. Absent: none. */
  readonly metricsPort?: number | undefined;
};

/** A renderer of the empty node. */
export function createPolicyRenderer(options: RenderOptions): PolicyRenderer {
  const { logDenied, metricsPort } = options;
  let generation = options.generation;
  const closed = [
    ...(metricsPort === undefined ? [] : [closedPort(['tcp', metricsPort], CHAINS.metrics)]),
    ...BGP_PORT_KEYS.map((key) => closedPort(key, CHAINS.bgp)),
  ];
  const table = createTableRecorder([...baseObjects(generation), ...closed]);
  const claim = createElementClaims(table, closed);
  const chains = new Map<ChainKey, PolicyChain>();
  const profiles = new Map<ProfileKey, Profile>();
  const endpoints = new Map<IfName, EndpointPolicy>();

  const applySets = (changes: PolicyChanges['sets']): void => {
    for (const change of changes) {
      for (const element of elementObjects(change, 'removed')) table.drop(nftKey(element));
      for (const set of setObjects(change)) {
        if (change.exists) table.put(set);
        else table.drop(nftKey(set));
      }
      for (const element of elementObjects(change, 'added')) table.put(element);
    }
  };

  // Answers the chains whose rules stand, or stood, in the chains of profiles.
  const applyChains = (changes: PolicyChanges['chains']): ReadonlySet<ChainKey> => {
    const inlined = new Set<ChainKey>();
    for (const { key, value } of changes) {
      const before = chains.get(key);
      if ((before !== undefined && hasPass(before)) || (value !== undefined && hasPass(value))) inlined.add(key);
      if (before !== undefined) {
        if (!hasPass(before)) table.drop(nftKey({ kind: 'chain', name: policyChainName(key), rules: [] }));
        for (const counter of renderCounters(before)) table.drop(nftKey(counter));
      }
      if (value === undefined) chains.delete(key);
      else chains.set(key, value);
      if (value === undefined) continue;
      if (!hasPass(value)) table.put(renderPolicyChain(key, value, logDenied));
      for (const counter of renderCounters(value)) table.put(counter);
    }
    return inlined;
  };

  const forget = (key: ProfileKey, profile: Profile, chainOf: (key: ChainKey) => PolicyChain | undefined): void => {
    for (const object of renderProfile(key, profile, { chainOf, logDenied })) table.drop(nftKey(object));
  };
  const render = (key: ProfileKey, profile: Profile): void => {
    const chainOf = (one: ChainKey): PolicyChain | undefined => chains.get(one);
    for (const object of renderProfile(key, profile, { chainOf, logDenied })) table.put(object);
  };

  // One that is not known is not open: its chain is missed by the kernel.
  const isOpen = (key: ProfileKey): boolean => {
    const profile = profiles.get(key);
    return profile !== undefined && isOpenProfile(profile);
  };

  const applyEndpoints = (changes: PolicyChanges['endpoints']): void => {
    for (const { key, value } of changes) {
      const before = endpoints.get(key);
      for (const element of before === undefined ? [] : endpointElements(key, before, isOpen))
        table.drop(nftKey(element));
      for (const element of value === undefined ? [] : endpointElements(key, value, isOpen)) table.put(element);
      if (value === undefined) endpoints.delete(key);
      else endpoints.set(key, value);
    }
  };

  const bump = (): void => {
    generation = nextGeneration(generation);
    for (const chain of generationChains(generation)) table.put(chain);
  };

  return {
    apply: (changes) => {
      const chainsBefore = new Map(changes.chains.map(({ key }) => [key, chains.get(key)]));
      const chainBefore = (key: ChainKey): PolicyChain | undefined =>
        chainsBefore.has(key) ? chainsBefore.get(key) : chains.get(key);
      applySets(changes.sets);
      const inlined = applyChains(changes.chains);
      for (const { key, value } of changes.profiles) {
        const before = profiles.get(key);
        if (before !== undefined) forget(key, before, chainBefore);
        if (value === undefined) profiles.delete(key);
        else profiles.set(key, value);
        if (value !== undefined) render(key, value);
      }
      for (const [key, profile] of inlined.size === 0 ? [] : profiles) {
        if (!refersTo(profile, inlined)) continue;
        forget(key, profile, chainBefore);
        render(key, profile);
      }
      applyEndpoints(changes.endpoints);
      if (changes.canRevoke) bump();
      return table.drain();
    },
    closeBgpPort: (configuration, port) =>
      claim(`BGPConfiguration ${configuration}`, port === undefined ? [] : [closedPort(['tcp', port], CHAINS.bgp)]),
    setNode: (name, addresses) =>
      claim(
        `Node ${name}`,
        addresses.map((ip): Element => ({ kind: 'element', set: NODES[ipFamily(ip)], key: [ip] })),
      ),
    closeServices: (ranges) => claim('services', serviceElements(ranges)),
    objects: () => table.objects,
    generation: () => generation,
    explainEndpoint: (ifName) => {
      const endpoint = endpoints.get(ifName);
      return endpoint === undefined ? [] : reachableFrom(endpointElements(ifName, endpoint, isOpen), table.objects);
    },
    explainHooks: () => reachableFromHooks(table.objects),
  };
}

const refersTo = (profile: Profile, wanted: ReadonlySet<ChainKey>): boolean =>
  profile.kind === 'tiers' && profile.tiers.some(({ chains }) => chains.some((key) => wanted.has(key)));

const closedPort = (key: PortKey, chain: ChainName): Element => ({
  kind: 'element',
  set: CLOSED_PORTS,
  key,
  verdict: { kind: 'goto', chain },
});

const serviceElements = (ranges: readonly Cidr[]): readonly Element[] =>
  ([4, 6] as const).flatMap((family) => {
    const own = ranges.map(cidrRange).filter((range) => range.family === family);
    return mergeRanges(own).map(({ first, last }): Element => {
      const [from, to] = [ipFromBigInt(first, family), ipFromBigInt(last, family)];
      return { kind: 'element', set: SERVICE_RANGES[family], key: [from === to ? from : { from, to }] };
    });
  });
