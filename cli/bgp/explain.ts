// `margay bgp explain PREFIX`: the story of one prefix on each node.
import type { Command } from 'commander';
import { type BgpExplainView, bgpExplainSchema } from '../../bgp/view.ts';
import { askNodes, type BgpOptions, printJson, wantsJson, withBgpOptions } from './ask-nodes.ts';

export function registerBgpExplain(bgp: Command): void {
  const command = bgp
    .command('explain <prefix>')
    .description('why a prefix is, or is not, in the kernel and told to peers; an address stands for its prefix');
  withBgpOptions(command).action(explain);
}

async function explain(prefix: string, options: BgpOptions): Promise<void> {
  const path = `/v1/bgp/explain?${new URLSearchParams({ prefix })}`;
  const views = await askNodes(options, path, (document) => bgpExplainSchema.parse(document));
  if (wantsJson(options)) return printJson(views);
  console.log(views.map(printStory).join('\n\n'));
}

function printStory({ node, prefix, steps }: BgpExplainView): string {
  const told = steps.map(({ title, lines }) => {
    const text = lines.length === 0 ? ['nothing'] : lines;
    return [`  ${title}`, ...text.map((line) => `    ${line}`)].join('\n');
  });
  return [`${prefix} on ${node}`, ...told].join('\n');
}
