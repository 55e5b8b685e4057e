// An OCI image (image-spec 1.0, image layout) out of one static file: busybox, serving `/name` over HTTP.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const BOX_IMAGE = 'margay.test/box:1';
const APPLETS = ['sh', 'cat', 'httpd', 'nc', 'ip', 'ping', 'wget', 'sleep'] as const;
/** A sandbox's root is read-only, so the image brings along what it serves. */
const COMMAND = ['/bin/httpd', '-f', '-p', '80', '-h', '/etc'];

/** Writes an archive for `ctr images import` into the folder and returns its path. */
export function writeBoxImage(folder: string): string {
  const root = join(folder, 'rootfs');
  for (const directory of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev'])
    mkdirSync(join(root, directory), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/name'), 'box\n');
  const layout = join(folder, 'layout');
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const layer = join(folder, 'layer.tar');
  execFileSync('tar', ['--create', '--file', layer, '--directory', root, '.']);

  const blob = (mediaType: string, content: Uint8Array) => {
    const hash = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(layout, 'blobs/sha256', hash), content);
    return { mediaType, digest: `sha256:${hash}`, size: content.length };
  };
  const json = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
  const files = blob('application/vnd.oci.image.layer.v1.tar', readFileSync(layer));
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    json({
      architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch,
      os: 'linux',
      config: { Env: ['PATH=/bin'], Entrypoint: COMMAND },
      rootfs: { type: 'layers', diff_ids: [files.digest] },
    }),
  );
  const manifest = blob(
    'application/vnd.oci.image.manifest.v1+json',
    json({ schemaVersion: 2, config, layers: [files] }),
  );
  const annotations = { 'io.containerd.image.name': BOX_IMAGE, 'org.opencontainers.image.ref.name': '1' };
  writeFileSync(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  const archive = join(folder, 'box.tar');
  execFileSync('tar', ['--create', '--file', archive, '--directory', layout, '.']);
  return archive;
}
