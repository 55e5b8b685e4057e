// Paths of gobgpd 3.x: NLRI and attributes travel as `google.protobuf.Any`.
import { cidrAddress, cidrFamily, cidrLength } from '../../../lib/cidr.ts';
import * as m from '../api/messages.ts';
import { attributesOut, familyOf, type PathFormat, prefixIn, type WireAttributes } from '../api/paths.ts';
import {
  any,
  bool,
  type FieldsOf,
  type Input,
  type Message,
  message,
  messages,
  nested,
  type Output,
  string,
  strings,
  uint,
} from '../wire/message.ts';

const TYPE = 'type.googleapis.com/apipb.';

const mpReach = message({ family: nested(1, m.family), nextHops: strings(2), nlris: messages(3, any) });

/** Exported for tests. */
export const path = message({
  nlri: nested(1, any),
  attributes: messages(2, any),
  isWithdraw: bool(5),
  family: nested(9, m.family),
  sourceAsn: uint(10),
  filtered: bool(12),
  stale: bool(13),
  neighborIp: string(15),
});
const prefixOnly = message({ nlri: nested(1, any) });

type Any = Input<FieldsOf<typeof any>>;

export const paths: PathFormat = {
  encode: (input) => {
    const { prefix } = input;
    const family = familyOf(cidrFamily(prefix));
    const nlri = wrap('IPAddressPrefix', m.prefixNlri, { length: cidrLength(prefix), address: cidrAddress(prefix) });
    const { mpNextHops, ...out } = attributesOut(input);
    const reach = mpNextHops && { family, nextHops: mpNextHops, nlris: [nlri] };
    const attributes = [
      wrap('OriginAttribute', m.origin, out.origin),
      out.nextHop && wrap('NextHopAttribute', m.nextHop, out.nextHop),
      reach && wrap('MpReachNLRIAttribute', mpReach, reach),
      out.med && wrap('MultiExitDiscAttribute', m.med, out.med),
      out.localPref && wrap('LocalPrefAttribute', m.localPref, out.localPref),
      out.communities && wrap('CommunitiesAttribute', m.communities, out.communities),
      out.largeCommunities && wrap('LargeCommunitiesAttribute', m.largeCommunities, out.largeCommunities),
    ].filter((attribute) => attribute !== undefined);
    return path.encode({ nlri, family, attributes });
  },
  decode: (bytes) => {
    const read = path.decode(bytes);
    return { ...read, prefix: nlriIn(read.nlri), attributes: attributesIn(read.attributes) };
  },
  prefix: (bytes) => nlriIn(prefixOnly.decode(bytes).nlri),
};

function nlriIn(nlri: Output<FieldsOf<typeof any>> | undefined) {
  return nlri?.typeUrl === `${TYPE}IPAddressPrefix` ? prefixIn(m.prefixNlri.decode(nlri.value)) : undefined;
}

function attributesIn(attributes: readonly Output<FieldsOf<typeof any>>[]): WireAttributes {
  let found: WireAttributes = {};
  for (const { typeUrl, value } of attributes) found = { ...found, ...attributeIn(typeUrl, value) };
  return found;
}

function attributeIn(typeUrl: string, value: Uint8Array): WireAttributes {
  switch (typeUrl.slice(TYPE.length)) {
    case 'NextHopAttribute':
      return m.nextHop.decode(value);
    case 'MpReachNLRIAttribute': {
      const [nextHop] = mpReach.decode(value).nextHops;
      return nextHop === undefined ? {} : { nextHop };
    }
    case 'AsPathAttribute':
      return m.asPath.decode(value);
    case 'LocalPrefAttribute':
      return m.localPref.decode(value);
    case 'MultiExitDiscAttribute':
      return m.med.decode(value);
    case 'OriginAttribute':
      return m.origin.decode(value);
    case 'CommunitiesAttribute':
      return m.communities.decode(value);
    case 'LargeCommunitiesAttribute':
      return { largeCommunities: m.largeCommunities.decode(value).communities };
    default: // Others change nothing that we decide.
      return {};
  }
}

function wrap<F>(type: string, of: Message<F>, value: Input<F>): Any {
  return { typeUrl: `${TYPE}${type}`, value: of.encode(value) };
}
