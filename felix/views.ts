// What the control socket shows: the agent's state as plain JSON, and the rules of one endpoint as nft text.
import type { NftKey, NftObject } from '../lib/nftables/ast.ts';
import { printRuleset } from '../lib/nftables/print.ts';
import type { NftDriver } from './driver/nftables.ts';
import type { Effects } from './effects.ts';
import type { LoopDelay } from './loop-delay.ts';
import type { Model } from './model/model.ts';
import { POLICY_TABLE } from './render/policy/names.ts';
import type { RevokerView } from './revoker.ts';

/** The document of `GET /v1/status`. */
export function statusView(options: {
  readonly node: string;
  readonly model: Model;
  readonly effects: Effects;
  readonly revoker: RevokerView;
  readonly tableOwner: NftDriver['owner'];
  /** CNI requests are answered. */
  readonly servesCni: boolean;
  /** Turns of the event loop. */
  readonly loop: ReturnType<LoopDelay['view']>;
  /** Problems outside the model and the effects. */
  readonly problems: readonly string[];
}): object {
  const { node, model, effects, revoker, tableOwner, servesCni, loop, problems } = options;
  const { routing } = model;
  const { connected, desired, peers, settled, why } = routing.bgp();
  const { routes, rejected } = routing.learned();
  const inForce = new Set(effects.failures());
  return {
    node,
    ready: effects.ready() && servesCni,
    datastoreVersion: model.version(),
    generation: model.generation(),
    loop,
    table: tableOwner,
    flows: { judgedGeneration: revoker.judgedGeneration, revoked: revoker.revoked, last: revoker.last },
    bgp: {
      connected,
      ...(why === undefined ? {} : { why }),
      asn: desired?.global.asn,
      settled,
      peers: peers.map(
        ({ address, asn, state, uptimeSeconds, description, received, accepted, advertised, flaps }) => ({
          address,
          asn,
          state,
          uptimeSeconds,
          description,
          received,
          accepted,
          advertised,
          flaps,
        }),
      ),
    },
    blocks: routing.blocks(),
    endpoints: model.endpoints().map(({ ifName, namespace, pod, ips }) => ({
      namespace,
      pod,
      interface: ifName,
      ips,
      state: inForce.size === 0 ? 'applied' : 'pending',
    })),
    routes: {
      learned: routes.size,
      rejected: rejected.map(({ prefix, from, why: reason }) => ({ prefix, from, why: reason })),
    },
    problems: [...model.problems(), ...effects.failures(), ...problems],
  };
}

/** All that concerns one pod's interface, as nft prints it; absent when the pod is not here. */
export function endpointRules(model: Model, namespace: string, pod: string): string | undefined {
  const endpoint = model.endpoints().find((each) => each.namespace === namespace && each.pod === pod);
  if (endpoint === undefined) return undefined;
  const objects = model.nftObjects();
  const concerned = new Map<NftKey, NftObject>();
  for (const key of model.explainEndpoint(endpoint)) {
    const object = objects.get(key);
    if (object !== undefined) concerned.set(key, object);
  }
  const about = `# ${namespace}/${pod}: interface ${endpoint.ifName}, addresses ${endpoint.ips.join(' ')}`;
  return `${about}\n${printRuleset({ table: POLICY_TABLE, objects: concerned })}`;
}
