#!/bin/sh
# Installs what was built (npm ci && npm run build) on this machine, or into a tree of files for a package:
#
#   scripts/install.sh [--prefix P] [--destdir D]
#   scripts/install.sh --uninstall [--prefix P] [--destdir D]
#
# --prefix P    where it will run from (default /usr/local)
# --destdir D   put before every path: a tree to make a package of
# --uninstall   removes what an installation with this prefix put there. /etc/conntrackd stays: it is yours
#
# The configuration /etc/conntrackd/conntrackd.conf and the script primary-backup.sh beside it are written only where
# there is none. Services are not touched.
set -eu
cd "$(dirname "$0")/.."
umask 022

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"
}

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

prefix=/usr/local
destdir=
action=install
while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --destdir)
      [ $# -ge 2 ] || fail "$1 needs a folder"
      case $2 in
        /*) ;;
        *) fail "$1 needs an absolute path, not $2" ;;
      esac
      if [ "$1" = --prefix ]; then prefix=${2%/}; else destdir=${2%/}; fi
      shift
      ;;
    --uninstall) action=uninstall ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      fail "unknown: $1"
      ;;
  esac
  shift
done

program=$destdir$prefix/sbin/conntrackd
library=$destdir$prefix/lib/conntrackd
shared=$destdir$prefix/share/conntrackd
documents=$destdir$prefix/share/doc/conntrackd
command_page=$destdir$prefix/share/man/man8/conntrackd.8.gz
configuration_page=$destdir$prefix/share/man/man5/conntrackd.conf.5.gz
# systemd looks in /usr/lib and in /usr/local/lib.
unit=$destdir$prefix/lib/systemd/system/conntrackd.service
settings=$destdir/etc/conntrackd
rotation=$destdir/etc/logrotate.d/conntrackd

say() {
  echo "$*"
}

# put MODE FILE TARGET
put() {
  mkdir -p "${3%/*}"
  # Aside and renamed: a program that runs keeps its own, and nobody sees half a file.
  cp "$2" "$3.new"
  chmod "$1" "$3.new"
  mv -f "$3.new" "$3"
}

# The same where there is none yet: put_once MODE FILE TARGET
put_once() {
  if [ -e "$3" ] || [ -L "$3" ]; then
    say "kept        $3"
  else
    put "$1" "$2" "$3"
    say "new         $3"
  fi
}

# The licences of the modules that are joined into the program (scripts/bundle.mjs): those of the lock file that do not
# serve its development only.
licences() {
  # The dollar is JavaScript's.
  # shellcheck disable=SC2016
  node -e '
    const { existsSync, readdirSync, readFileSync } = require("node:fs");
    const { packages } = require("./package-lock.json");
    for (const [path, { version, dev, devOptional }] of Object.entries(packages)) {
      if (!path.startsWith("node_modules/") || dev || devOptional || !existsSync(path)) continue;
      const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name));
      if (file === undefined) throw new Error(`${path} has no licence`);
      console.log(`${"=".repeat(78)}\n${path.replace(/.*node_modules\//, "")} ${version}\n`);
      console.log(readFileSync(`${path}/${file}`, "utf8"));
    }'
}

# Of package.json what a running program needs.
manifest() {
  node -e '
    const { name, version, description, license, type, engines, dependencies } = require("./package.json");
    console.log(JSON.stringify({ name, version, description, license, type, engines, dependencies }, null, 2));'
}

install_program() {
  # All of it beside the old one, then both change places: parts are loaded as they are needed.
  rm -rf "$library.new" "$library.old"
  mkdir -p "$library.new/bin" "$library.new/dist/src" "$library.new/build/Release" "${program%/*}"
  cp bin/conntrackd "$library.new/bin/"
  cp -R dist/src/bundle "$library.new/dist/src/"
  cp build/Release/conntrackd.node "$library.new/build/Release/"
  manifest >"$library.new/package.json"
  licences >"$library.new/LICENSES"
  find "$library.new" -type f -exec chmod 644 {} +
  find "$library.new" -type d -exec chmod 755 {} +
  chmod 755 "$library.new/bin/conntrackd"
  if [ -d "$library" ]; then
    # A Node.js put beside the program stays with it.
    if [ -x "$library/node" ]; then cp -p "$library/node" "$library.new/node"; fi
    mv "$library" "$library.old"
  fi
  mv "$library.new" "$library"
  rm -rf "$library.old"
  say "installed   $library"
  put 755 build/Release/conntrackd "$program"
  say "installed   $program"
}

install_pages() {
  for page in "$command_page" "$configuration_page"; do
    mkdir -p "${page%/*}"
    name=${page##*/}
    gzip -9nc "doc/man/${name%.gz}" >"$page"
    chmod 644 "$page"
    say "installed   $page"
  done
}

install_documents() {
  rm -rf "$documents"
  mkdir -p "$documents"
  cp -R examples "$documents/"
  cp scripts/primary-backup.sh "$documents/examples/sync/"
  for file in LICENSE CHANGELOG.md doc/manual.md doc/compatibility.md; do cp "$file" "$documents/"; done
  find "$documents" -type f -exec chmod 644 {} +
  find "$documents" -type d -exec chmod 755 {} +
  say "installed   $documents"
}

install_unit() {
  mkdir -p "${unit%/*}"
  sed "s|@SBIN@|$prefix/sbin|" packaging/systemd/conntrackd.service >"$unit.new"
  chmod 644 "$unit.new"
  mv -f "$unit.new" "$unit"
  say "installed   $unit"
}

install_all() {
  command -v node >/dev/null || fail "Node.js is missing; version 20 or later is needed"
  for built in dist/src/bundle build/Release/conntrackd build/Release/conntrackd.node; do
    [ -e "$built" ] || fail "$built is missing: npm ci && npm run build"
  done
  install_program
  install_pages
  install_documents
  install_unit
  put 644 packaging/conntrackd.conf "$shared/conntrackd.conf"
  put 755 scripts/primary-backup.sh "$shared/primary-backup.sh"
  say "installed   $shared"
  put_once 644 "$shared/conntrackd.conf" "$settings/conntrackd.conf"
  put_once 755 "$shared/primary-backup.sh" "$settings/primary-backup.sh"
  put_once 644 packaging/logrotate/conntrackd "$rotation"
  [ -z "$destdir" ] || return 0
  say
  say "Next: conntrackd --check; then, with systemd: systemctl daemon-reload && systemctl enable --now conntrackd"
}

# Removes a file or folder that is there.
remove() {
  if [ -e "$1" ] || [ -L "$1" ]; then
    rm -rf "$1"
    say "removed     $1"
  fi
}

uninstall_all() {
  remove "$program"
  remove "$library"
  remove "$command_page"
  remove "$configuration_page"
  remove "$documents"
  remove "$unit"
  # A rotation somebody has changed is theirs.
  if cmp -s packaging/logrotate/conntrackd "$rotation"; then remove "$rotation"; fi
  for name in conntrackd.conf primary-backup.sh; do
    # Untouched, they are ours still.
    if cmp -s "$shared/$name" "$settings/$name"; then remove "$settings/$name"; fi
    if [ -e "$settings/$name" ]; then say "kept        $settings/$name"; fi
  done
  remove "$shared"
  rmdir "$settings" 2>/dev/null || :
}

"${action}_all"
