// `margay bgp advertised`: what peers are told, after all filters.
import type { Command } from 'commander';
import { bgpAdvertisedSchema } from '../../bgp/view.ts';
import { askNodes, type BgpOptions, NONE, printJson, printRows, wantsJson, withBgpOptions } from './ask-nodes.ts';

type AdvertisedOptions = BgpOptions & { readonly peer?: string };

export function registerBgpAdvertised(bgp: Command): void {
  const command = bgp
    .command('advertised')
    .description('paths that peers are told, after all filters')
    .option('--peer <peer>', 'this peer alone, by name or address');
  withBgpOptions(command).action(advertised);
}

async function advertised(options: AdvertisedOptions): Promise<void> {
  const { peer } = options;
  const answers = await askNodes(options, '/v1/bgp/advertised', (document) => bgpAdvertisedSchema.parse(document));
  const views = answers.map((view) => ({
    ...view,
    paths: view.paths.filter(({ to, toAddress }) => peer === undefined || to === peer || toAddress === peer),
  }));
  if (wantsJson(options)) return printJson(views);
  printRows(
    ['NODE', 'PEER', 'PREFIX', 'NEXT HOP', 'AS PATH', 'COMMUNITIES', 'SENT'],
    views.flatMap(({ node, paths }) =>
      paths.map(({ to, prefix, nextHops, asPath, communities, sent }) => [
        node,
        to,
        prefix,
        nextHops.join(',') || NONE,
        asPath.join(' ') || NONE,
        communities.join(' ') || NONE,
        sent ? 'yes' : 'no session',
      ]),
    ),
    'Nothing is advertised',
  );
}
