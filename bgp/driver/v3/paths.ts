// Paths of gobgpd 3.x: NLRI and attributes travel as `google.protobuf.Any`.
import { type Cidr, cidrAddress, cidrFamily, cidrLength, parseCidr } from '../../../lib/cidr.ts';
import { type Family, type Ip, parseIp } from '../../../lib/ip.ts';
import type { RibPath } from '../../model/types.ts';
import type { PathToWrite } from '../codec.ts';
import type { any, FieldsOf, Input, Message, Output } from '../wire/message.ts';
import * as m from './messages.ts';

const TYPE = 'type.googleapis.com/apipb.';
/** AFI of a family (IANA address family numbers); SAFI 1 is unicast. */
export const familyOf = (family: Family): Input<FieldsOf<typeof m.family>> => ({ afi: family === 4 ? 1 : 2, safi: 1 });

type Any = Input<FieldsOf<typeof any>>;
type WirePath = Output<FieldsOf<typeof m.path>>;

export function pathOut({ prefix, path }: PathToWrite): Input<FieldsOf<typeof m.path>> {
  const family = cidrFamily(prefix);
  const nlri = wrap('IPAddressPrefix', m.prefixNlri, { length: cidrLength(prefix), address: cidrAddress(prefix) });
  const { nextHop, communities = [] } = path;
  return {
    nlri,
    family: familyOf(family),
    attributes: [
      // Mandatory, and IGP is 0: sent by its presence.
      wrap('OriginAttribute', m.origin, { origin: 0 }),
      family === 4
        ? wrap('NextHopAttribute', m.nextHop, { nextHop })
        : wrap('MpReachNLRIAttribute', m.mpReach, { family: familyOf(6), nextHops: [nextHop], nlris: [nlri] }),
      ...(communities.length === 0 ? [] : [wrap('CommunitiesAttribute', m.communities, { communities })]),
    ],
  };
}

/** `undefined` for what is no unicast path with a next hop that we understand. */
export function pathIn(path: WirePath, ownAsn: number): RibPath | undefined {
  const nlri = path.nlri;
  if (nlri === undefined || nlri.typeUrl !== `${TYPE}IPAddressPrefix` || path.filtered || path.isWithdraw) {
    return undefined;
  }
  const { length, address } = m.prefixNlri.decode(nlri.value);
  const prefix = parseCidr(`${address}/${length}`);
  const attributes = attributesIn(path.attributes);
  if (!prefix.ok || attributes.nextHop === undefined) return undefined;
  const from = parseIp(path.neighborIp);
  return {
    prefix: prefix.value satisfies Cidr,
    ...attributes,
    nextHop: attributes.nextHop,
    ...(from.ok ? { from: from.value } : {}),
    local: !from.ok,
    stale: path.stale,
    ebgp: from.ok && path.sourceAsn !== ownAsn,
  };
}

function attributesIn(attributes: WirePath['attributes']) {
  let nextHop: Ip | undefined;
  let asPath: readonly number[] = [];
  let asPathLength = 0;
  let [localPref, med, origin] = [100, 0, 0];
  let communities: readonly number[] = [];
  for (const { typeUrl, value } of attributes) {
    switch (typeUrl.slice(TYPE.length)) {
      case 'NextHopAttribute':
        nextHop = addressIn(m.nextHop.decode(value).nextHop);
        break;
      case 'MpReachNLRIAttribute':
        nextHop = addressIn(m.mpReach.decode(value).nextHops[0] ?? '');
        break;
      case 'AsPathAttribute': {
        const { segments } = m.asPath.decode(value);
        asPath = segments.flatMap((segment) => segment.numbers);
        asPathLength = segments.reduce((sum, { type, numbers }) => sum + hops(type, numbers.length), 0);
        break;
      }
      case 'LocalPrefAttribute':
        localPref = m.localPref.decode(value).localPref;
        break;
      case 'MultiExitDiscAttribute':
        med = m.med.decode(value).med;
        break;
      case 'OriginAttribute':
        origin = m.origin.decode(value).origin;
        break;
      case 'CommunitiesAttribute':
        communities = m.communities.decode(value).communities;
        break;
      default: // Others change nothing that we decide.
    }
  }
  return { nextHop, asPath, asPathLength, localPref, med, origin, communities };
}

// AsSegment types: 1 set, 2 sequence, 3 and 4 of a confederation, which do not count (RFC 5065 §5.3).
const hops = (type: number, count: number): number => (type === 2 ? count : type === 1 ? 1 : 0);

function addressIn(text: string): Ip | undefined {
  const parsed = parseIp(text);
  return parsed.ok ? parsed.value : undefined;
}

function wrap<F>(type: string, of: Message<F>, value: Input<F>): Any {
  return { typeUrl: `${TYPE}${type}`, value: of.encode(value) };
}
