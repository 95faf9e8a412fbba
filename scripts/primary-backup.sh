#!/bin/sh
# Role change of a firewall, for keepalived's notify_master, notify_backup, notify_fault and notify_stop (or whatever
# moves the virtual addresses):
#
#   primary-backup.sh primary|backup|fault
#
# primary  this node handles the traffic from now on: commit the peer's flows to the kernel, empty both caches, read
#          the kernel table back into the internal cache, send all of it to the peer
# backup   the peer handles it: make sure the daemon runs, let the kernel's own flows expire soon (PurgeTimeout), ask
#          the peer for its flows
# fault    this node is out: let its flows expire soon
#
# Exit status: 0 done; 1 something could not be done, or the role is none of these. What it was is in the log.
set -u

CONNTRACKD_BIN=${CONNTRACKD_BIN:-/usr/sbin/conntrackd}
# Where it is not set, what the configuration says counts.
CONNTRACKD_LOCK=${CONNTRACKD_LOCK:-}
CONNTRACKD_CONFIG=${CONNTRACKD_CONFIG:-/etc/conntrackd/conntrackd.conf}

# Seconds to wait for an earlier change of roles, and for a daemon that somebody else is starting.
TURN_SECONDS=10
START_SECONDS=3

status=0

say() {
  echo "conntrackd role: $*" >&2
  if command -v logger >/dev/null 2>&1; then
    # No system logger, no log line; the role change does not depend on it.
    logger -t conntrackd-role -p daemon.notice -- "$*" 2>/dev/null || :
  fi
}

failed() {
  say "failed: $*"
  status=1
}

# keepalived does not wait for the script of one role before it calls that of the next. Whoever was called first goes
# first: what backup schedules must not come after what primary does.
take_turn() {
  # The lock is on the configuration file: it is there anyway.
  if command -v flock >/dev/null 2>&1 && [ -r "$CONNTRACKD_CONFIG" ]; then
    exec 9<"$CONNTRACKD_CONFIG"
    flock -w "$TURN_SECONDS" 9 || say "the change of roles before this one takes long, going on without waiting for it"
  fi
}

conntrackd() {
  # The file last: a daemon started here shows the command line that scripts look for, conntrackd -d -C FILE.
  # Not the turn: the daemon would keep it.
  "$CONNTRACKD_BIN" "$@" -C "$CONNTRACKD_CONFIG" 9<&-
}

# One request; when it fails the others are still worth doing.
request() {
  conntrackd "$@" || failed "conntrackd $*"
}

# Only this project's program carries out several requests of one call; of others the last may win silently.
takes_several_requests() {
  case $("$CONNTRACKD_BIN" -v 2>/dev/null 9<&-) in
    *TypeScript*) return 0 ;;
    *) return 1 ;;
  esac
}

answers() {
  conntrackd -s >/dev/null 2>&1
}

# The lock file of the daemon.
lock_file() {
  if [ -n "$CONNTRACKD_LOCK" ]; then
    echo "$CONNTRACKD_LOCK"
    return
  fi
  configured=$(sed -n 's/^[[:space:]]*LockFile[[:space:]]\{1,\}"\{0,1\}\([^"[:space:]#]*\).*/\1/p' "$CONNTRACKD_CONFIG" 2>/dev/null)
  echo "${configured:-/var/lock/conntrackd.lock}"
}

start() {
  say "the daemon does not answer, starting it"
  if conntrackd -d; then return; fi
  lock=$(lock_file)
  if [ -e "$lock" ]; then
    # The lock is that of a daemon which somebody else, the service manager perhaps, is starting just now, ...
    tries=0
    while [ "$tries" -lt "$START_SECONDS" ]; do
      if answers; then return; fi
      sleep 1
      tries=$((tries + 1))
    done
    # ... or of one that is gone.
    rm -f "$lock"
    if conntrackd -d; then return; fi
  fi
  failed "conntrackd -d"
}

primary() {
  # First the call, then the question who answered: established connections wait for the commit.
  if conntrackd -c -f -R -B && takes_several_requests; then return; fi
  request -c
  request -f
  request -R
  request -B
}

backup() {
  answers || start
  request -t
  request -n
}

fault() {
  request -t
}

role=${1:-}
case $role in
  primary | backup | fault) take_turn ;;
  *)
    echo "usage: ${0##*/} primary|backup|fault" >&2
    failed "unknown role '$role'"
    exit "$status"
    ;;
esac
case $role in
  primary) primary ;;
  backup) backup ;;
  fault) fault ;;
esac
if [ "$status" -eq 0 ]; then say "now $role"; else say "now $role, but not everything could be done"; fi
exit "$status"
