// Fields of a BGPPeer that do not go together.
import { ipFamily } from '../../lib/ip.ts';
import type { BgpPeerSpec } from './bgp-peer.ts';
import { durationMs } from './duration.ts';
import { parsePeerAddress } from './peer-ip.ts';

export type Conflict = { readonly field: keyof BgpPeerSpec & string; readonly message: string };

export function bgpPeerConflicts(spec: BgpPeerSpec): readonly Conflict[] {
  return [...whoConflicts(spec), ...howFarConflicts(spec), ...restartConflicts(spec)];
}

function* whoConflicts(spec: BgpPeerSpec): Iterable<Conflict> {
  const { node, nodeSelector, peerIP, peerSelector, asNumber, autoDiscovery, reversePeering } = spec;
  if (node !== undefined && nodeSelector !== undefined) {
    yield { field: 'nodeSelector', message: `"${nodeSelector}" stands beside node "${node}", expected one of them` };
  }
  if (spec.localWorkloadSelector !== undefined) {
    yield {
      field: 'localWorkloadSelector',
      message: 'peering with pods is not supported, expected peerIP or peerSelector',
    };
    return;
  }
  if (peerSelector !== undefined && asNumber !== undefined) {
    yield { field: 'asNumber', message: `${asNumber} stands beside peerSelector, expected that the nodes tell theirs` };
  }
  if (peerSelector !== undefined && peerIP !== undefined) {
    yield {
      field: 'peerSelector',
      message: `"${peerSelector}" stands beside peerIP "${peerIP}", expected one of them`,
    };
  }
  if (autoDiscovery !== undefined && (peerSelector ?? peerIP) !== undefined) {
    yield {
      field: 'autoDiscovery',
      message: `stands beside ${peerIP === undefined ? 'peerSelector' : 'peerIP'}, expected one of them`,
    };
  }
  if (peerSelector === undefined) {
    if (peerIP === undefined && autoDiscovery === undefined) {
      yield { field: 'peerIP', message: 'is missing, expected peerIP, peerSelector or autoDiscovery' };
    }
    if (asNumber === undefined) yield { field: 'asNumber', message: 'is missing, expected that of the peer' };
    if (reversePeering !== undefined) {
      yield {
        field: 'reversePeering',
        message: `"${reversePeering}" stands without peerSelector, expected one beside it`,
      };
    }
  }
}

function* howFarConflicts(spec: BgpPeerSpec): Iterable<Conflict> {
  const { peerIP, ttlSecurity, ebgpMultihop, reachableBy, nextHopMode, keepOriginalNextHop } = spec;
  if (ttlSecurity !== undefined && ebgpMultihop !== undefined) {
    yield {
      field: 'ebgpMultihop',
      message: `${ebgpMultihop} stands beside ttlSecurity ${ttlSecurity}, expected one of them`,
    };
  }
  if (keepOriginalNextHop === true && nextHopMode !== undefined && nextHopMode !== 'Keep') {
    yield {
      field: 'keepOriginalNextHop',
      message: `true stands beside nextHopMode "${nextHopMode}", expected one of them`,
    };
  }
  const at = peerIP === undefined ? undefined : parsePeerAddress(peerIP);
  if (reachableBy === undefined) return;
  if (at === undefined)
    yield { field: 'reachableBy', message: `"${reachableBy}" stands without peerIP, expected one beside it` };
  else if (at.ok && ipFamily(at.value.address) !== ipFamily(reachableBy)) {
    yield {
      field: 'reachableBy',
      message: `"${reachableBy}" is of another address family than peerIP "${peerIP}", expected the same`,
    };
  } else if (at.ok && at.value.address === reachableBy) {
    yield { field: 'reachableBy', message: `"${reachableBy}" is the peer itself, expected the gateway before it` };
  }
}

function* restartConflicts(spec: BgpPeerSpec): Iterable<Conflict> {
  const { bfd, gracefulRestart, maxRestartTime, keepaliveTime, holdTime } = spec;
  if (
    bfd !== undefined &&
    (maxRestartTime !== undefined || (gracefulRestart !== undefined && gracefulRestart.enabled !== false))
  ) {
    const field = maxRestartTime === undefined ? 'gracefulRestart' : 'maxRestartTime';
    yield {
      field: 'bfd',
      message: `stands beside ${field}, expected one of them because BFD drops what a graceful restart would keep`,
    };
  }
  if (gracefulRestart?.restartTime !== undefined && maxRestartTime !== undefined) {
    yield { field: 'gracefulRestart', message: 'restartTime stands beside maxRestartTime, expected one of them' };
  }
  if (
    gracefulRestart?.enabled === false &&
    (maxRestartTime ?? gracefulRestart.restartTime ?? gracefulRestart.deferralTime) !== undefined
  ) {
    yield { field: 'gracefulRestart', message: 'is not enabled but has times, expected one or the other' };
  }
  if (
    keepaliveTime !== undefined &&
    holdTime !== undefined &&
    (durationMs(holdTime) ?? 0) <= (durationMs(keepaliveTime) ?? 0)
  ) {
    yield {
      field: 'holdTime',
      message: `"${holdTime}" does not outlast keepaliveTime "${keepaliveTime}", expected a longer time`,
    };
  }
}
