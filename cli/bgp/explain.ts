// `margay bgp explain PREFIX`: the story of one prefix on each node.
import type { Command } from 'commander';
import { type BgpExplainView, bgpExplainSchema } from '../../bgp/view.ts';
import { type Cidr, cidrContainsCidr } from '../../lib/cidr.ts';
import { withStore } from '../ipam/world.ts';
import { askNodes, type BgpOptions, printJson, wantsJson, withBgpOptions } from './ask-nodes.ts';

type ExplainOptions = BgpOptions & { readonly datastore?: string };

export function registerBgpExplain(bgp: Command): void {
  const command = bgp
    .command('explain <prefix>')
    .description('why a prefix is, or is not, in the kernel and told to peers; an address stands for its prefix')
    .option('--datastore <path>', "datastore that knows who owns blocks (default: MARGAY_DATASTORE, else the lab's)");
  withBgpOptions(command).action(explain);
}

async function explain(prefix: string, options: ExplainOptions): Promise<void> {
  const path = `/v1/bgp/explain?${new URLSearchParams({ prefix })}`;
  const views = await askNodes(options, path, (document) => bgpExplainSchema.parse(document));
  if (wantsJson(options)) return printJson(views);
  const owners = await ownersOf(views, options);
  console.log(views.map((view) => printStory(view, owners.get(view.prefix))).join('\n\n'));
}

/** By prefix: who owns the block that holds it. Empty without a datastore to ask. */
async function ownersOf(views: readonly BgpExplainView[], options: ExplainOptions): Promise<ReadonlyMap<Cidr, string>> {
  try {
    const blocks = await withStore(options, async (store) => (await store.list('IPBlock')).items);
    return new Map(
      views.map(({ prefix }) => {
        const block = blocks.find(({ spec }) => cidrContainsCidr(spec.cidr, prefix))?.spec;
        return [prefix, block === undefined ? 'in no block' : `block ${block.cidr} of node "${block.node}"`];
      }),
    );
  } catch {
    return new Map(); // A machine that has an agent need not have a datastore.
  }
}

function printStory({ node, prefix, steps }: BgpExplainView, owner: string | undefined): string {
  const told = steps.map(({ title, lines }) => {
    const text = lines.length === 0 ? ['nothing'] : lines;
    return [`  ${title}`, ...text.map((line) => `    ${line}`)].join('\n');
  });
  return [`${prefix} on ${node}${owner === undefined ? '' : `, ${owner}`}`, ...told].join('\n');
}
