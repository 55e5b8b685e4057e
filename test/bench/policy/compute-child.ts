// Computes a cluster from nothing, in a process of its own so that its peak memory can be told:
// `node compute-child.ts NAMESPACES all|node model|table`. Prints one line of JSON. `all`: every pod of the cluster is
// local, so that every selector is resolved to its members and every policy to its rules, which is what a controller for
// the whole cluster does; `node`: the pods of one node of a thousand. `table`: nf_tables objects too.
import { FIRST_GENERATION } from '../../../felix/render/policy/generation.ts';
import { createPolicyRenderer } from '../../../felix/render/policy/policy-renderer.ts';
import { hostIfName } from '../../../lib/linux/if-name.ts';
import { convertNetworkPolicy } from '../../../policy/convert/network-policy.ts';
import { convertPod } from '../../../policy/convert/pod.ts';
import { createPolicyModel } from '../../../policy/model/policy-model.ts';
import { podKey } from '../../../policy/world.ts';
import { smallNamespace } from './compute-world.ts';

/** What the process prints. `inputBytes`: resident memory when the objects were there and nothing was computed. */
export type ComputeReport = {
  readonly ms: number;
  /** Processor time of all threads, which other load on the machine does not lengthen. */
  readonly cpuMs: number;
  readonly inputBytes: number;
  readonly peakBytes: number;
  readonly sets: number;
  readonly chains: number;
  readonly members: number;
  readonly objects: number;
};

const [count, which, how] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(compute(Number(count), which === 'node', how === 'table'))}\n`);

function compute(namespaces: number, oneNode: boolean, withTable: boolean): ComputeReport {
  const world = Array.from({ length: namespaces }, (_, index) => smallNamespace(index));
  // Part of the input: an agent gets the name of an interface from CNI with the pod, or from its journal.
  const ifNames = world.map(({ pods }) => pods.map(({ metadata }) => hostIfName(metadata.namespace, metadata.name)));
  const inputBytes = process.memoryUsage.rss();
  const began = performance.now();
  const cpuBegan = process.cpuUsage();
  const model = createPolicyModel();
  for (const [at, { name, pods, policies }] of world.entries()) {
    model.setNamespace(name, { app: name });
    for (const policy of policies) {
      const converted = convertNetworkPolicy(policy);
      model.setPolicy(converted.key, converted);
    }
    for (const [place, pod] of pods.entries()) {
      const facts = convertPod(pod);
      model.setPod(podKey(facts.namespace, facts.name), facts);
      const ifName = ifNames[at]?.[place];
      if (ifName === undefined || (oneNode && facts.node !== 'node-1')) continue;
      model.setEndpoint(ifName, {
        namespace: facts.namespace,
        pod: facts.name,
        ips: facts.ips,
      });
    }
  }
  const changes = model.drain();
  const objects = withTable ? createPolicyRenderer({ generation: FIRST_GENERATION }).apply(changes).length : 0;
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBegan);
  return {
    ms,
    cpuMs: (user + system) / 1000,
    inputBytes,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    sets: changes.sets.length,
    chains: changes.chains.length,
    members: changes.sets.reduce((sum, { added }) => sum + added.length, 0),
    objects,
  };
}
