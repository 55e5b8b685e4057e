// After any history of objects and attachments, with drains anywhere: the changes of nft objects that the model reports
// lead to its objects, these and the routes are those of a new model that hears of the final state alone, and no flow that
// is denied from then on is left on the fast path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Attachment } from '../../cni/attachment.ts';
import { keyOf, type Resource, type ResourceKey } from '../../datastore/resources/index.ts';
import { handleOf } from '../../ipam/handle.ts';
import type { Ip } from '../../lib/ip.ts';
import type { Flow } from '../../lib/linux/conntrack-codec.ts';
import { hostIfName, type IfName, parseIfName } from '../../lib/linux/if-name.ts';
import type { NftChange, NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { unwrap } from '../../lib/result.ts';
import { history, IPS, NODE, namesOf, OTHERS, type Step } from '../../test/policy/agent-histories.ts';
import { FIRST_GENERATION, type Generation } from '../render/policy/generation.ts';
import { createFlowJudge } from '../revoke-judge.ts';
import type { Event } from './events.ts';
import { createModel, type Model } from './model.ts';

const handleOfSandbox = (pod: string, id: string) =>
  handleOf({ network: 'margay', containerId: `${id}-${pod.replace('/', '-')}`, ifName: unwrap(parseIfName('eth0')) });

/** As the journal of addresses assigns them: one that nobody has. Absent: there is none. */
function attachmentFor(
  { pod, sandbox: id, uid: own }: Step & { kind: 'attach' },
  taken: ReadonlySet<Ip>,
): Attachment | undefined {
  const ip = IPS.find((each) => !taken.has(each));
  const [namespace, name] = namesOf(pod);
  return (
    ip && {
      handle: handleOfSandbox(pod, id),
      containerId: id,
      ifName: unwrap(parseIfName('eth0')),
      netns: '',
      namespace,
      pod: name,
      ...(own !== undefined && { uid: own }),
      hostIfName: hostIfName(namespace, name),
      ips: [ip],
      mac: '',
    }
  );
}

const put = (value: Resource): Event => ({ kind: 'resource', change: { key: keyOf(value), value }, version: '1' });

/** A model with what happened to it, and what the kernel's table would be. */
function createPlayer() {
  const model = createModel({ node: NODE, generation: FIRST_GENERATION });
  const table = new Map<NftKey, NftObject>(model.nftObjects());
  const objects = new Map<ResourceKey, Resource>();
  const attached = new Map<IfName, Attachment>();
  let before: Snapshot | undefined;

  const drain = (): void => {
    const generation = model.generation();
    const changes = model.drainNft('bump-if-needed');
    for (const { key, before: was, after } of changes) {
      assert.deepEqual(table.get(key), was, `${key} before`);
      if (after === undefined) table.delete(key);
      else table.set(key, after);
    }
    const after: Snapshot = { objects: new Map(table), attached: new Map(attached) };
    if (before !== undefined && model.generation() === generation && !changes.some(isElementGone)) {
      assert.deepEqual(revokedBetween(before, after), [], 'flows that stay on the fast path');
    }
    before = after;
  };

  const play = (one: Step): void => {
    switch (one.kind) {
      case 'put':
        objects.set(keyOf(one.resource), one.resource);
        model.accept(put(one.resource));
        break;
      case 'delete':
        objects.delete(one.key);
        model.accept({ kind: 'resource', change: { key: one.key, value: undefined }, version: '1' });
        break;
      case 'unreadable':
        model.accept({ kind: 'resource', change: { key: one.key, value: undefined }, version: '1', error: 'junk' });
        break;
      case 'attach': {
        const attachment = attachmentFor(one, new Set([...attached.values()].flatMap(({ ips }) => ips)));
        if (attachment === undefined) break;
        attached.set(attachment.hostIfName, attachment);
        model.accept({ kind: 'attached', attachment });
        break;
      }
      case 'detach': {
        const [namespace, name] = namesOf(one.pod);
        const ifName = hostIfName(namespace, name);
        const handle = handleOfSandbox(one.pod, one.sandbox);
        const there = attached.get(ifName);
        if (there?.handle === handle) attached.delete(ifName);
        const ghost = attachmentFor({ ...one, kind: 'attach', uid: undefined }, new Set());
        if (ghost !== undefined)
          model.accept({ kind: 'detached', attachment: there?.handle === handle ? there : ghost });
        break;
      }
      case 'drain':
        drain();
        break;
      default:
        one satisfies never;
    }
  };
  return { model, table, objects, attached, play, drain };
}

type Snapshot = {
  readonly objects: ReadonlyMap<NftKey, NftObject>;
  readonly attached: ReadonlyMap<IfName, Attachment>;
};

/** What has the flows judged soon without a new generation (felix/effects.ts). */
const isElementGone = ({ before, after }: NftChange): boolean => before?.kind === 'element' && after === undefined;

/** Flows of pods that are still there, that were allowed and are denied. */
function revokedBetween(before: Snapshot, after: Snapshot): readonly string[] {
  const [was, is] = [before, after].map(({ objects, attached }) =>
    createFlowJudge({
      objects,
      endpoints: [...attached.values()].map(({ hostIfName: ifName, ips }) => ({ ifName, ips })),
      blocks: [],
      localAddresses: new Set(),
    }),
  );
  const stayed = [...after.attached.values()].filter((one) => before.attached.get(one.hostIfName) === one);
  const local = stayed.flatMap(({ ips }) => ips);
  const ends = [...local, ...OTHERS];
  return ends.flatMap((src) =>
    ends.flatMap((dst) =>
      src === dst || !(local.includes(src) || local.includes(dst))
        ? []
        : [80, 81, 179].flatMap((port) => {
            const flow = tcpFlow(src, dst, port);
            return was?.(flow) === 'allowed' && is?.(flow) === 'denied' ? [`${src} to ${dst}:${port}`] : [];
          }),
    ),
  );
}

const tcpFlow = (src: Ip, dst: Ip, port: number): Flow => ({
  protocol: 6,
  original: { src, dst, ports: { src: 40_000, dst: port } },
  reply: { src: dst, dst: src, ports: { src: port, dst: 40_000 } },
  mark: 0,
  status: 0,
  id: 1,
});

function freshModel(events: readonly Event[], generation: Generation): Model {
  const model = createModel({ node: NODE, generation });
  for (const event of events) model.accept(event);
  model.drainNft('keep');
  return model;
}

const sorted = <K extends string, V>(map: Iterable<readonly [K, V]>): readonly (readonly [K, V])[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

const everything = (model: Model, endpoints: Iterable<Attachment>) => ({
  table: sorted(model.nftObjects()),
  explained: [...endpoints].map(({ hostIfName: ifName, namespace, pod, ips }) =>
    model.explainEndpoint({ ifName, namespace, pod, ips }).toSorted(),
  ),
  routes: sorted(model.routing.routes.entries()),
  ports: model.bgpPorts(),
  resources: sorted([...model.resources()].map((each) => [keyOf(each), each] as const)),
});

test('createModel() after any history = a new model with the final state, and no flow outlives what allowed it', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { model, table, objects, attached, play, drain } = createPlayer();
      for (const one of steps) play(one);
      drain();
      assert.deepEqual(sorted(table), sorted(model.nftObjects()));
      const endpoints = [...attached.values()];
      const events: readonly Event[] = [
        ...[...objects.values()].map(put),
        ...endpoints.map((attachment): Event => ({ kind: 'attached', attachment })),
      ];
      const expected = everything(freshModel(events, model.generation()), endpoints);
      assert.deepEqual(everything(model, endpoints), expected);
      assert.deepEqual(everything(freshModel(events.toReversed(), model.generation()), endpoints), expected);
    }),
    { numRuns: Number(process.env['MARGAY_RUNS'] ?? 300) },
  );
});
