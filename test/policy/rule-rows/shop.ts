// The world that most rows share, and what a row is.
import type { PolicyResource } from '../../../policy/convert/policy.ts';
import type { World } from '../../../policy/oracle.ts';
import { world } from '../world-builder.ts';

/** Packets, in the text of `packet()`, with their fate in a world. The number in the name is that of the rule. */
export type RuleRow = {
  readonly name: string;
  readonly given: World;
  readonly expected: Readonly<Record<string, 'allow' | 'deny'>>;
};

export const web = { labels: { app: 'web' }, ports: ['http=tcp/80'] };
export const db = { labels: { app: 'db' }, ports: ['sql=tcp/5432', 'http=tcp/8080', 'dns=udp/53'] };
const two = { 'shop/web': web, 'shop/db': db } as const;
export const three = { ...two, 'mon/prom': { labels: { app: 'prom' } } } as const;
export const isWeb = { matchLabels: { app: 'web' } };
export const isDb = { matchLabels: { app: 'db' } };

/** A world of the pods web and db in `shop` and prom in `mon`. */
export const shop = (...policies: readonly PolicyResource[]): World =>
  world({ namespaces: { shop: { team: 'a' }, mon: { team: 'b' } }, pods: three, policies });
