// `margay policy compile`: the table that an agent would write, as text for `nft -f`.
import type { Command } from 'commander';
import type { Resource } from '../../datastore/resources/index.ts';
import { compileWorld } from '../../felix/explain/compile-world.ts';
import { POLICY_TABLE } from '../../felix/render/policy/names.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { type ObjectOptions, readObjects, reportObjects, withObjects } from './objects.ts';

type Options = ObjectOptions & { readonly node?: string; readonly json?: true };

export function registerPolicyCompile(policy: Command): void {
  const command = policy
    .command('compile')
    .description('print the nftables rules that a node would have')
    .option('--node <name>', 'the node; without it, all pods count as local to one node')
    .option('--json', 'print one JSON document');
  withObjects(command, 'required').action(run);
}

function run(options: Options): void {
  const { node, json } = options;
  const objects = readObjects(options);
  reportObjects(objects, options);
  if (node !== undefined && !isNamed(objects.resources, node)) {
    console.error(`margay: warning: no Node and no Pod names node "${node}"`);
  }
  const compiled = compileWorld(objects.resources, (pod) => node === undefined || pod.node === node);
  const ruleset = loadable(compiled.objects);
  if (json !== true) {
    process.stdout.write(ruleset);
    return;
  }
  const document = {
    ...(node !== undefined && { node }),
    ruleset,
    interfaces: Object.fromEntries(compiled.endpoints.map((each) => [`${each.namespace}/${each.pod}`, each.interface])),
    endpoints: compiled.endpoints,
    problems: [...objects.failures, ...objects.doubts, ...objects.warnings],
  };
  console.log(JSON.stringify(document, undefined, 2));
}

// Loads into a namespace with or without the table, as one step. The flags that bind a table to its owner are left out:
// the program that loads a file does not stay.
function loadable(objects: Parameters<typeof printRuleset>[0]['objects']): string {
  const { name } = POLICY_TABLE;
  const ruleset = printRuleset({ table: { name, flags: [] }, objects });
  return `add table inet ${name}\ndelete table inet ${name}\n${ruleset}`;
}

const isNamed = (resources: readonly Resource[], node: string): boolean =>
  resources.some(
    (resource) =>
      (resource.kind === 'Node' && resource.metadata.name === node) ||
      (resource.kind === 'Pod' && resource.spec.nodeName === node),
  );
