// The documents about BGP by their names, as the control socket serves them. The files behind them are loaded when the
// first of them is asked for: the agent of a quiet node does without.
import type { BgpPeersView, BgpRoutesView } from '../../bgp/view.ts';
import { ok, type Result } from '../../lib/result.ts';
import type { BgpParts } from './parts.ts';

export type BgpDocuments = (
  name: string,
  words: Readonly<Record<string, string>>,
) => Promise<Result<object>> | undefined;

export function createBgpDocuments(parts: BgpParts): BgpDocuments {
  return (name, words) => {
    switch (name) {
      case 'peers':
        return bgpPeers(parts).then(ok);
      case 'routes':
        return bgpRoutes(parts).then(ok);
      case 'advertised':
        return import('./routes.ts').then(async ({ bgpAdvertisedView }) => ok(await bgpAdvertisedView(parts)));
      case 'explain':
        return import('./explain.ts').then(({ bgpExplainView }) => bgpExplainView(parts, words['prefix'] ?? ''));
      default:
        return undefined;
    }
  };
}

/** @throws BgpError */
export const bgpPeers = async (parts: BgpParts): Promise<BgpPeersView> =>
  (await import('./peers.ts')).bgpPeersView(parts);

/** @throws KernelError */
export const bgpRoutes = async (parts: BgpParts): Promise<BgpRoutesView> =>
  (await import('./routes.ts')).bgpRoutesView(parts);
