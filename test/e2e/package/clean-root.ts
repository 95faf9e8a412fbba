import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attemptInBackground, CommandError } from '../../lab/command.js';

/** What is installed beside the essential packages and apt: the service manager, and what the tests look with. */
const INCLUDED = ['systemd', 'systemd-sysv', 'logrotate', 'conntrack', 'iproute2'];

/** The release this machine runs: `bookworm`. */
function release(): string {
  const codename = /^VERSION_CODENAME="?(\w+)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (codename === undefined) throw new Error('/etc/os-release has no VERSION_CODENAME: is this Debian?');
  return codename;
}

/** This machine's own sources of that release's packages, whatever mirror they name. */
function sources(codename: string): string[] {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...files.filter((file) => /\.(list|sources)$/.test(file))].filter(
    (file) => existsSync(file) && new RegExp(`^[^#]*\\s${codename}(\\s|$)`, 'm').test(readFileSync(file, 'utf8')),
  );
}

/**
 * A root file system with nothing in it but Debian's essentials: no compiler, no npm, no Node.js. Debian's conntrackd
 * lies in apt's cache, not installed, so that nothing is downloaded later.
 */
export async function makeCleanRoot(root: string): Promise<void> {
  const codename = release();
  const words = [
    'mmdebstrap',
    '--quiet',
    '--variant=apt',
    '--skip=cleanup/apt',
    `--include=${INCLUDED.join(',')}`,
    // Nothing here has to outlive a power failure.
    '--setup-hook=mkdir -p "$1/etc/dpkg/dpkg.cfg.d" && echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/test"',
    '--customize-hook=chroot "$1" apt-get install -qq -y --no-install-recommends --download-only conntrackd',
    codename,
    root,
    ...sources(codename),
  ];
  const made = await attemptInBackground(words, { timeoutMs: 240_000 });
  if (made.status !== 0) throw new CommandError(words, made);
  writeFileSync(join(root, 'etc/hostname'), 'firewall\n');
}

/** What changes by itself while packages come and go: apt's and dpkg's own books, logs, caches, records of services. */
const VOLATILE =
  /^(dev|proc|sys|run|tmp|root|var\/cache|var\/lib\/(apt|dpkg|systemd|ucf|logrotate)|var\/log\/(apt|journal|dpkg\.log|alternatives\.log|wtmp)|etc\/(ld\.so\.cache|machine-id|rc\d\.d|rcS\.d))(\/|$)/;

/** Every file of a root with what it holds: path -> digest, target of the link, or 'folder'. */
export function contentsOf(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const name of readdirSync(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (VOLATILE.test(path)) continue;
      const what = lstatSync(join(root, path));
      found.set(
        path,
        what.isDirectory() ? 'folder' : what.isFile() ? digest(join(root, path)) : linkOrKind(root, path),
      );
      if (what.isDirectory()) walk(path);
    }
  };
  walk('');
  return found;
}

function digest(file: string): string {
  return createHash('sha1').update(readFileSync(file)).digest('hex');
}

function linkOrKind(root: string, path: string): string {
  return lstatSync(join(root, path)).isSymbolicLink() ? `-> ${readlinkSync(join(root, path))}` : 'special';
}

/** What differs between two contents, sorted: `+ path`, `- path`, `~ path` (changed). */
export function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const gone = [...before.keys()].filter((path) => !after.has(path)).map((path) => `- ${path}`);
  const come = [...after.keys()].filter((path) => !before.has(path)).map((path) => `+ ${path}`);
  const changed = [...after.keys()].filter((path) => before.has(path) && before.get(path) !== after.get(path));
  return [...gone, ...come, ...changed.map((path) => `~ ${path}`)].sort();
}
