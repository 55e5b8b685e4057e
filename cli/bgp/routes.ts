// `margay bgp routes`: gobgpd's table and the kernel's, with what became of each path.
import type { Command } from 'commander';
import { type BgpRouteView, bgpRoutesSchema } from '../../bgp/view.ts';
import { askNodes, type BgpOptions, NONE, printJson, printRows, wantsJson, withBgpOptions } from './ask-nodes.ts';

type RoutesOptions = BgpOptions & { readonly fib?: true; readonly rib?: true };

export function registerBgpRoutes(bgp: Command): void {
  const command = bgp
    .command('routes')
    .description('paths of gobgpd and routes of the kernel, and why a path is not used')
    .option('--fib', 'routes of the kernel alone')
    .option('--rib', 'paths of gobgpd alone');
  withBgpOptions(command).action(routes);
}

async function routes(options: RoutesOptions): Promise<void> {
  const { fib, rib } = options;
  const isMeant = ({ type }: BgpRouteView): boolean => fib === rib || (fib === true) === (type === 'FIB');
  const views = (await askNodes(options, '/v1/bgp/routes', (document) => bgpRoutesSchema.parse(document))).map(
    (view) => ({ ...view, routes: view.routes.filter(isMeant) }),
  );
  if (wantsJson(options)) return printJson(views);
  const wide = options.output === 'wide';
  const titles = ['NODE', 'TABLE', 'PREFIX', 'NEXT HOPS', 'FROM', 'AS PATH', 'STATE', 'WHY'];
  printRows(
    wide ? [...titles, 'COMMUNITIES', 'LOCAL-PREF'] : titles,
    views.flatMap(({ node, routes }) =>
      routes.map((route) => [node, ...cells(route), ...(wide ? wideCells(route) : [])]),
    ),
    'No routes',
  );
}

const cells = ({ type, prefix, nextHops, from, asPath, state, why }: BgpRouteView): readonly string[] => [
  type,
  prefix,
  nextHops.join(',') || NONE,
  from ?? NONE,
  asPath.join(' ') || NONE,
  state,
  why ?? NONE,
];

const wideCells = ({ communities, localPref }: BgpRouteView): readonly string[] => [
  communities.join(' ') || NONE,
  String(localPref ?? NONE),
];
