// Fields that kinds have and nothing here reads: a manifest may carry them, and is not refused for them.
import type { Kind } from './index.ts';

/** `true`: whatever is below is not looked into. Lists count as their entries. */
export type FieldTree = true | { readonly [field: string]: FieldTree };

const any = (...names: readonly string[]): { readonly [field: string]: FieldTree } =>
  Object.fromEntries(names.map((name) => [name, true]));

/** Kubernetes ObjectMeta. */
const metadata = any(
  'generateName',
  'namespace',
  'selfLink',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
);

/** `status` is nothing that whoever applies an object decides, but what was printed by `get` carries it. */
const object = (spec: FieldTree = {}): FieldTree => ({ metadata, status: true, spec });

/** v1 Container, its ports aside. */
const container = {
  ...any('args', 'command', 'env', 'envFrom', 'image', 'imagePullPolicy', 'lifecycle', 'livenessProbe'),
  ...any('readinessProbe', 'resizePolicy', 'resources', 'restartPolicy', 'restartPolicyRules', 'securityContext'),
  ...any('startupProbe', 'stdin', 'stdinOnce', 'terminationMessagePath', 'terminationMessagePolicy', 'tty'),
  ...any('volumeDevices', 'volumeMounts', 'workingDir'),
  ports: any('hostIP', 'hostPort'),
};

/** v1 PodSpec. */
const pod = {
  ...any('activeDeadlineSeconds', 'affinity', 'automountServiceAccountToken', 'dnsConfig', 'dnsPolicy'),
  ...any('enableServiceLinks', 'ephemeralContainers', 'hostAliases', 'hostIPC', 'hostPID', 'hostUsers', 'hostname'),
  ...any('hostnameOverride', 'imagePullSecrets', 'nodeSelector', 'os', 'overhead', 'preemptionPolicy', 'priority'),
  ...any('priorityClassName', 'readinessGates', 'resourceClaims', 'resources', 'restartPolicy', 'runtimeClassName'),
  ...any('schedulerName', 'schedulingGates', 'securityContext', 'serviceAccount', 'serviceAccountName'),
  ...any('setHostnameAsFQDN', 'shareProcessNamespace', 'subdomain', 'terminationGracePeriodSeconds', 'tolerations'),
  ...any('topologySpreadConstraints', 'volumes', 'workloadRef'),
  containers: container,
  initContainers: container,
};

/** v1 ServiceSpec. */
const service = {
  ...any('allocateLoadBalancerNodePorts', 'externalName', 'healthCheckNodePort', 'internalTrafficPolicy', 'ipFamilies'),
  ...any('ipFamilyPolicy', 'loadBalancerClass', 'loadBalancerIP', 'loadBalancerSourceRanges', 'ports', 'selector'),
  ...any('publishNotReadyAddresses', 'sessionAffinity', 'sessionAffinityConfig', 'trafficDistribution'),
};

/** projectcalico.org/v3 as of Calico 3.32. */
const calico = {
  pool: any('vxlanMode', 'ipipMode', 'ipip', 'nat-outgoing', 'awsSubnetID'),
  ipam: any('kubeVirtVMAddressPersistence'),
  bgp: {
    ...any('logSeverityScreen', 'localWorkloadPeeringIPV4', 'localWorkloadPeeringIPV6', 'ipv4NormalRoutePriority'),
    ...any('ipv6NormalRoutePriority', 'ipv4ElevatedRoutePriority', 'ipv6ElevatedRoutePriority'),
  },
  peer: any('failureDetectionMode', 'restartMode', 'birdGatewayMode'),
};

/** For every kind. */
export const OTHER_FIELDS: Readonly<Record<Kind, FieldTree>> = {
  Namespace: object(any('finalizers')),
  Node: object(any('configSource', 'externalID', 'podCIDR', 'podCIDRs', 'providerID', 'taints', 'unschedulable')),
  Pod: object(pod),
  Service: object(service),
  EndpointSlice: {
    metadata,
    ports: true,
    endpoints: {
      ...any('hostname', 'targetRef', 'topology', 'zone', 'hints', 'deprecatedTopology'),
      conditions: any('serving', 'terminating'),
    },
  },
  NetworkPolicy: object(),
  ClusterNetworkPolicy: object(),
  IPPool: object(calico.pool),
  IPBlock: object(),
  NodeStatus: object(),
  IPReservation: object(),
  IPAMConfiguration: object(calico.ipam),
  BGPConfiguration: object(calico.bgp),
  BGPPeer: object(calico.peer),
  BGPFilter: object(),
  Secret: { metadata, immutable: true },
};
