// What CHECK says of the route that the kernel takes: the rules are as the model wants them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attachment } from '../cni/attachment.ts';
import { handleOf } from '../ipam/handle.ts';
import { parseIp } from '../lib/ip.ts';
import { hostIfName, parseIfName } from '../lib/linux/if-name.ts';
import type { Route } from '../lib/linux/routes.ts';
import { unwrap } from '../lib/result.ts';
import { createEndpointCheck } from './check-endpoint.ts';
import { createModel } from './model/model.ts';
import { hostRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from './model/route.ts';
import { FIRST_GENERATION } from './render/policy/generation.ts';
import { POLICY_TABLE } from './render/policy/names.ts';

const ip = unwrap(parseIp('10.244.0.5'));
const ifName = unwrap(parseIfName('eth0'));
const pod = { namespace: 'shop', pod: 'web', netns: '/run/netns/web', containerId: 'c1', ifName };
const attachment: Attachment = {
  ...pod,
  handle: handleOf({ network: 'margay', containerId: 'c1', ifName }),
  hostIfName: hostIfName('shop', 'web'),
  ips: [ip],
  mac: '',
};
const ours = { dst: hostRoute(ip), type: 'unicast', protocol: ROUTE_PROTOCOL, metric: ROUTE_METRIC } as const;
const hop = (text: string, oif: number) => ({ gateway: unwrap(parseIp(text)), oif });

test('a route leads to the link of the pod, and to no other, none or several', () => {
  const model = createModel({ node: 'node-1', generation: FIRST_GENERATION });
  model.accept({ kind: 'attached', attachment });
  model.drainNft('keep');
  const single: Route = { ...ours, oif: 7, nextHops: [] };
  const several: Route = { ...ours, nextHops: [hop('198.51.100.1', 7), hop('198.51.100.2', 8)] };
  const rows = [
    { name: 'as it should be', route: single, link: 7, expected: /^$/ },
    { name: 'another link', route: single, link: 8, expected: /leads to link 7, expected "mgy/ },
    { name: 'no link', route: single, link: undefined, expected: /cannot lead to "mgy.*": there is no such link/ },
    { name: 'several ways', route: several, link: 7, expected: /leads to several links, expected "mgy/ },
    { name: 'several ways, no link', route: several, link: undefined, expected: /there is no such link/ },
  ];
  for (const { name, route, link, expected } of rows) {
    const check = createEndpointCheck({
      model,
      nft: { read: () => ({ table: POLICY_TABLE, objects: model.nftObjects() }) },
      generation: () => 1,
      routeTo: () => route,
      linkIndex: () => link,
    });
    assert.match(check(attachment).join(), expected, name);
  }
});
