// Paths of gobgpd 4.x: NLRI and attributes are oneofs.
import { cidrAddress, cidrFamily, cidrLength } from '../../../lib/cidr.ts';
import * as m from '../api/messages.ts';
import { attributesOut, familyOf, type PathFormat, prefixIn, type WireAttributes } from '../api/paths.ts';
import { bool, type FieldsOf, message, messages, nested, type Output, string, strings, uint } from '../wire/message.ts';

const nlri = message({ prefix: nested(1, m.prefixNlri) });

const attribute = message({
  origin: nested(2, m.origin),
  asPath: nested(3, m.asPath),
  nextHop: nested(4, m.nextHop),
  med: nested(5, m.med),
  localPref: nested(6, m.localPref),
  communities: nested(9, m.communities),
  mpReach: nested(12, message({ family: nested(1, m.family), nextHops: strings(2), nlris: messages(3, nlri) })),
  largeCommunities: nested(21, m.largeCommunities),
});

/** Exported for tests. */
export const path = message({
  nlri: nested(1, nlri),
  attributes: messages(2, attribute),
  isWithdraw: bool(5),
  family: nested(9, m.family),
  sourceAsn: uint(10),
  filtered: bool(12),
  stale: bool(13),
  neighborIp: string(15),
});
const prefixOnly = message({ nlri: nested(1, nlri) });

export const paths: PathFormat = {
  encode: (input) => {
    const { prefix } = input;
    const family = familyOf(cidrFamily(prefix));
    const own = { prefix: { length: cidrLength(prefix), address: cidrAddress(prefix) } };
    const { mpNextHops, ...attributes } = attributesOut(input);
    const mpReach = mpNextHops && { family, nextHops: mpNextHops, nlris: [own] };
    const all = Object.entries({ ...attributes, mpReach }).filter(([, value]) => value !== undefined);
    return path.encode({ nlri: own, family, attributes: all.map(([name, value]) => ({ [name]: value })) });
  },
  decode: (bytes) => {
    const read = path.decode(bytes);
    return { ...read, prefix: nlriIn(read.nlri), attributes: attributesIn(read.attributes) };
  },
  prefix: (bytes) => nlriIn(prefixOnly.decode(bytes).nlri),
};

function nlriIn(read: Output<FieldsOf<typeof nlri>> | undefined) {
  return read?.prefix === undefined ? undefined : prefixIn(read.prefix);
}

function attributesIn(attributes: readonly Output<FieldsOf<typeof attribute>>[]): WireAttributes {
  let found: WireAttributes = {};
  for (const { mpReach, largeCommunities, ...same } of attributes) {
    const [nextHop] = mpReach?.nextHops ?? [];
    found = {
      ...found,
      ...same.origin,
      ...same.asPath,
      ...same.nextHop,
      ...same.med,
      ...same.localPref,
      ...same.communities,
      ...(nextHop === undefined ? {} : { nextHop }),
      ...(largeCommunities === undefined ? {} : { largeCommunities: largeCommunities.communities }),
    };
  }
  return found;
}
