#!/usr/bin/env bash
# Shows a TCP connection outlive its firewall, in network namespaces of this machine:
#
#   scripts/demo.sh [--flows N] [--keep] [--original]
#   scripts/demo.sh --remove
#
# --flows N    that many flows of others beside the connection (default 1000)
# --keep       the lab stays up afterwards; how to enter it is printed
# --original   Debian's conntrackd in place of this one, for comparison
# --remove     removes a lab that was kept
#
# Installs what is missing (apt, npm) and builds. Needs root, or user namespaces and the packages installed.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
}

packages=("conntrack=conntrack" "nft=nftables" "ip=iproute2" "g++=g++" "make=make" "python3=python3" "pgrep=procps")
remove=false
keep=false
for word in "$@"; do
  case $word in
    -h | --help)
      usage
      exit 0
      ;;
    --original) packages+=("conntrackd=conntrackd") ;;
    --keep) keep=true ;;
    --remove) remove=true ;;
  esac
done

# Inside the user namespace made below everything is in place already.
if [ "${CTLAB_ROOTLESS:-}" != 1 ]; then
  scripts/install-packages.sh "${packages[@]}"
  scripts/prepare.sh
fi

if [ "$(id -u)" -ne 0 ]; then
  if $keep || $remove; then
    echo "--keep and --remove need root: without it the lab ends with this command" >&2
    exit 1
  fi
  if ! unshare --user --map-root-user --net --mount true 2>/dev/null; then
    echo "This needs root, or a kernel that lets users make namespaces: sudo $0 $*" >&2
    exit 1
  fi
  # ip-netns(8) keeps its names under /run, which has to be ours; so has everything else that is left behind.
  exec env CTLAB_ROOTLESS=1 unshare --user --map-root-user --net --mount --pid --fork --mount-proc \
    bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/tmp && TMPDIR=/run/tmp exec "$@"' demo "$0" "$@"
fi

if $remove; then
  exec node dist/test/lab/sweep.js
fi
exec node dist/test/lab/demo.js "$@"
