// Small objects for tests of the store, through the same parser as everybody's.

import { isOfKind, type Kind, type ResourceOf } from '../../datastore/resources/index.ts';
import type { NetworkPolicy } from '../../datastore/resources/network-policy.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import type { Pod } from '../../datastore/resources/pod.ts';
import { unwrap } from '../../lib/result.ts';

export const pod = (name: string, namespace = 'shop', labels: Readonly<Record<string, string>> = {}): Pod =>
  parse('Pod', { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec: { containers: [] } });

export const policy = (name: string, spec: unknown = { podSelector: {} }): NetworkPolicy =>
  parse('NetworkPolicy', {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'shop' },
    spec,
  });

export const namespace = (name: string): ResourceOf<'Namespace'> =>
  parse('Namespace', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

export const pool = (name: string, cidr: string): ResourceOf<'IPPool'> =>
  parse('IPPool', { apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name }, spec: { cidr } });

function parse<K extends Kind>(kind: K, raw: unknown): ResourceOf<K> {
  const resource = unwrap(parseResource(raw));
  if (isOfKind(resource, kind)) return resource;
  throw new Error(`Cannot make a ${kind}: it is a ${resource.kind}`);
}
