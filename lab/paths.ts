// Where everything of a lab is: one directory under /run and network namespaces with one prefix, so that what a killed
// command left is found by name.
import { join, resolve } from 'node:path';

/** Parent directory of all labs. */
export const LABS_DIRECTORY = '/run/margay/lab';
/** Root of this source tree. */
export const SOURCE_DIRECTORY = resolve(import.meta.dirname, '..');
/** The Node.js that runs this process, and every program of a lab. */
export const NODE_EXECUTABLE = process.execPath;
/** Where the CNI executable is: the container runtime's bin directory. */
export const CNI_BIN_DIRECTORY = join(SOURCE_DIRECTORY, '.build');

export const labDirectory = (lab: string): string => join(LABS_DIRECTORY, lab);

/** Prefix of all network namespaces of a lab; lab names have no dash, so no lab's prefix starts another's. */
export const netnsPrefix = (lab: string): string => `mgy-${lab}-`;
export const segmentNetns = (lab: string): string => `${netnsPrefix(lab)}seg`;
export const torNetns = (lab: string): string => `${netnsPrefix(lab)}tor`;
export const nodeNetns = (lab: string, node: string): string => `${netnsPrefix(lab)}${node}`;
export const podNetns = (lab: string, containerId: string): string =>
  `${netnsPrefix(lab)}pod-${containerId.slice(0, 12)}`;

/** The bind mount of a named network namespace (ip-netns(8)). */
export const netnsPath = (netns: string): string => `/run/netns/${netns}`;

/** A program that a supervisor keeps running. */
export type DaemonPaths = { readonly pid: string; readonly supervisorPid: string; readonly log: string };

const daemon = (directory: string, name: string): DaemonPaths => ({
  pid: join(directory, `${name}.pid`),
  supervisorPid: join(directory, `${name}.supervisor.pid`),
  log: join(directory, `${name}.log`),
});

export const labFiles = (lab: string) => {
  const directory = labDirectory(lab);
  return {
    directory,
    spec: join(directory, 'lab.json'),
    datastore: join(directory, 'datastore.db'),
    pods: join(directory, 'pods'),
    runtime: daemon(directory, 'runtime'),
    controller: daemon(directory, 'controller'),
  };
};

export const nodeFiles = (lab: string, node: string) => {
  const directory = join(labDirectory(lab), 'nodes', node);
  return {
    directory,
    config: join(directory, 'config.json'),
    cniSocket: join(directory, 'cni.sock'),
    controlSocket: join(directory, 'control.sock'),
    conflist: join(directory, 'net.d', '10-margay.conflist'),
    state: join(directory, 'state'),
    /** Where the agent looks for the DELs that the CNI executable could not hand over. */
    spool: join(directory, 'state', 'cni-spool'),
    agent: daemon(directory, 'agent'),
    gobgpSocket: join(directory, 'gobgp', 'gobgp.sock'),
    gobgpd: daemon(directory, 'gobgpd'),
  };
};

export const torFiles = (lab: string) => {
  const directory = join(labDirectory(lab), 'tor');
  return {
    directory,
    file: (name: string) => join(directory, name),
    daemon: (name: string) => daemon(directory, name),
    /** The process that plays clients outside of the cluster. */
    outside: daemon(directory, 'outside'),
    outsideSocket: join(directory, 'outside.sock'),
  };
};

export const podFiles = (lab: string, containerId: string) => {
  const directory = join(labDirectory(lab), 'pods');
  const id = containerId.slice(0, 12);
  return {
    record: join(directory, `${id}.json`),
    controlSocket: join(directory, `${id}.sock`),
    log: join(directory, `${id}.log`),
  };
};
