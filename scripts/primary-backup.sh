#!/bin/sh
# Role change of a firewall, for keepalived's notify_master, notify_backup and notify_fault (or whatever moves the
# virtual addresses):
#
#   primary-backup.sh primary|backup|fault
#
# primary  this node handles the traffic from now on: commit the peer's flows to the kernel, empty both caches, read
#          the kernel table back into the internal cache, send all of it to the peer
# backup   the peer handles it: make sure the daemon runs, let the kernel's own flows expire soon (PurgeTimeout), ask
#          the peer for its flows
# fault    this node is out: let its flows expire soon
#
# Exit status: 0 done, 1 a request failed (the log says which), 2 wrong arguments.
set -u

CONNTRACKD_BIN=${CONNTRACKD_BIN:-/usr/sbin/conntrackd}
CONNTRACKD_LOCK=${CONNTRACKD_LOCK:-/var/lock/conntrackd.lock}
CONNTRACKD_CONFIG=${CONNTRACKD_CONFIG:-/etc/conntrackd/conntrackd.conf}

status=0

say() {
  echo "conntrackd role: $*" >&2
  if command -v logger >/dev/null 2>&1; then
    # No system logger, no log line; the role change does not depend on it.
    logger -t conntrackd-role -p daemon.notice -- "$*" 2>/dev/null || :
  fi
}

conntrackd() {
  # The file last: a daemon started here shows the command line that scripts look for, conntrackd -d -C FILE.
  "$CONNTRACKD_BIN" "$@" -C "$CONNTRACKD_CONFIG"
}

# One request; when it fails the others are still worth doing.
request() {
  if ! conntrackd "$@"; then
    say "failed: conntrackd $*"
    status=1
  fi
}

# Only this project's program carries out several requests of one call; of others the last may win silently.
takes_several_requests() {
  case $("$CONNTRACKD_BIN" -v 2>/dev/null) in
    *TypeScript*) return 0 ;;
    *) return 1 ;;
  esac
}

primary() {
  # First the call, then the question who answered: established connections wait for the commit.
  if conntrackd -c -f -R -B && takes_several_requests; then
    return
  fi
  request -c
  request -f
  request -R
  request -B
}

backup() {
  if ! conntrackd -s >/dev/null 2>&1; then
    say "the daemon does not answer, starting it"
    # Nobody listens, so the lock is that of a daemon which is gone.
    rm -f "$CONNTRACKD_LOCK"
    request -d
  fi
  request -t
  request -n
}

fault() {
  request -t
}

case ${1:-} in
  primary) primary ;;
  backup) backup ;;
  fault) fault ;;
  *)
    echo "usage: ${0##*/} primary|backup|fault" >&2
    exit 2
    ;;
esac
if [ "$status" -eq 0 ]; then say "now $1"; else say "now $1, but not everything could be done"; fi
exit "$status"
