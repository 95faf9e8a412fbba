#!/usr/bin/env bash
# Makes a Debian package of what is checked out: conntrackd-ts_VERSION_ARCHITECTURE.deb. On the firewall it needs neither
# a compiler nor npm, nor, unless it is told so, Node.js.
#
#   scripts/package.sh [--without-node] [--output FOLDER] [--version VERSION] [--fast]
#
# --without-node      Node.js does not come with it; the package depends on nodejs (>= 20)
# --output FOLDER     where to put it (default build)
# --version VERSION   of the package: 0.1.0-2, say (default: that of package.json)
# --fast              not compressed: sooner made, three times as large
#
# The last line is the path of the package. The Node.js that comes with it is the one that runs this script.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
}

fail() {
  echo "package.sh: $*" >&2
  exit 1
}

with_node=true
output=build
version=
compression=(-Zxz)
while [ $# -gt 0 ]; do
  case $1 in
    --without-node) with_node=false ;;
    --fast) compression=(-Znone) ;;
    --output | --version)
      [ $# -ge 2 ] || fail "$1 needs a value"
      if [ "$1" = --output ]; then output=$2; else version=$2; fi
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "unknown: $1 (--help)" ;;
  esac
  shift
done

name=conntrackd-ts
scripts/install-packages.sh dpkg-deb=dpkg dpkg-shlibdeps=dpkg-dev strip=binutils >&2
scripts/prepare.sh >&2
version=${version:-$(node -p 'require("./package.json").version')}
architecture=$(dpkg --print-architecture)

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

# Its licence lies beside it, or where a package of Node.js puts it.
node_licence() {
  local prefix=$1 file
  for file in LICENSE share/doc/nodejs/LICENSE share/doc/node/LICENSE share/doc/nodejs/copyright; do
    if [ -f "$prefix/$file" ]; then
      echo "$prefix/$file"
      return
    fi
  done
  fail "the licence of Node.js is not to be found below $prefix; it has to come with the program (or: --without-node)"
}

add_node() {
  local program licence
  program=$(node -p 'process.execPath')
  licence=$(node_licence "$(dirname "$(dirname "$(readlink -f "$program")")")")
  strip -o "$tree/usr/lib/conntrackd/node" "$program"
  chmod 755 "$tree/usr/lib/conntrackd/node"
  install -m 644 "$licence" "$tree/usr/lib/conntrackd/node.LICENSE"
}

# What the linker finds in other packages, as `Depends` has it.
library_dependencies() {
  local files=()
  mapfile -d '' files < <(find "$tree/usr" -type f \( -name '*.node' -o -path '*/sbin/*' -o -name node \) \
    -exec sh -c 'head -c 4 "$1" | grep -q ELF' _ {} \; -print0)
  (cd packaging && dpkg-shlibdeps -O "${files[@]}" 2>/dev/null) | sed 's/^shlibs:Depends=//'
}

# One field of the package's paragraph in packaging/debian/control follows another: the first paragraph is the source's.
write_control() {
  local dependencies
  dependencies=$(library_dependencies)
  [ -n "$dependencies" ] || fail "dpkg-shlibdeps found no libraries that the program needs"
  if ! $with_node; then dependencies="$dependencies, nodejs (>= 20)"; fi
  sed -n '1,/^$/{/^\(Section\|Priority\|Maintainer\):/p}' packaging/debian/control >"$tree/DEBIAN/control"
  sed "1,/^\$/d; s/^Architecture: .*/Version: $version\nArchitecture: $architecture/; s/\${shlibs:Depends}/$dependencies/" \
    packaging/debian/control |
    sed "/^Description:/i Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f1)" >>"$tree/DEBIAN/control"
}

write_copyright() {
  local licence
  licence=$(sed '1,/^Copyright/d; s/^$/./; s/^/ /' LICENSE | sed '1{/^ \.$/d}')
  local text
  text=$(<packaging/debian/copyright)
  text=${text/@COPYRIGHT@/$(sed -n 's/^Copyright (c) //p' LICENSE)}
  text=${text/@LICENSE@/$licence}
  if $with_node; then
    text+=$'\n\nFiles: usr/lib/conntrackd/node\nCopyright: Node.js contributors, and others named in the licence\nLicense: node\n /usr/lib/conntrackd/node.LICENSE has it.'
  fi
  install -d "$tree/usr/share/doc/$name"
  echo "$text" >"$tree/usr/share/doc/$name/copyright"
}

# What makes a package dangerous rather than ugly.
check_tree() {
  local wrong
  wrong=$(find "$tree" \( -type f -o -type d \) \( -perm /022 -o -perm /6000 \) -printf '%M %P\n')
  [ -z "$wrong" ] || fail "wrong permissions:"$'\n'"$wrong"
  wrong=$(find "$tree/etc" "$tree/usr/lib/systemd" -type f -perm /111 -printf '%M %P\n')
  [ -z "$wrong" ] || fail "should not be executable:"$'\n'"$wrong"
}

scripts/install.sh --prefix /usr --destdir "$tree" >/dev/null
# The configuration is written by postinst, where there is none: doc/decisions/0004-package.md.
rm "$tree/etc/conntrackd/conntrackd.conf" "$tree/etc/conntrackd/primary-backup.sh"
# A name that Debian's package, which may have left its own file here, does not know.
mv "$tree/etc/logrotate.d/conntrackd" "$tree/etc/logrotate.d/$name"
if $with_node; then add_node; fi
strip --strip-unneeded "$tree/usr/sbin/conntrackd" "$tree/usr/lib/conntrackd/build/Release/conntrackd.node"

mkdir "$tree/DEBIAN"
for script in preinst postinst prerm postrm; do install -m 755 "packaging/debian/$script" "$tree/DEBIAN/"; done
echo "/etc/logrotate.d/$name" >"$tree/DEBIAN/conffiles"
write_copyright
gzip -9nc CHANGELOG.md >"$tree/usr/share/doc/$name/changelog.gz"
chmod 644 "$tree/usr/share/doc/$name"/*
write_control
(cd "$tree" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
check_tree

mkdir -p "$output"
package=$output/${name}_${version}_$architecture.deb
# The same sources make the same package.
if SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)}; then export SOURCE_DATE_EPOCH; fi
dpkg-deb --root-owner-group "${compression[@]}" --build "$tree" "$package" >/dev/null
echo "$package"
