#!/usr/bin/env bash
# Boots systemd as the first process of a machine of its own: boot.sh ROOT NAME
#
# ROOT is a root file system with systemd; NAME names its control group. Process ids, mounts, host name and control groups
# are the machine's own, the network is the caller's. Ends with the machine; killing it ends the machine.
set -euo pipefail
root=$1
group=$2

# Beneath a group of its own, systemd moves only what is its own.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  hierarchies=(/sys/fs/cgroup)
else
  hierarchies=(/sys/fs/cgroup/systemd)
fi
for hierarchy in "${hierarchies[@]}"; do
  mkdir "$hierarchy/$group"
  echo $$ >"$hierarchy/$group/cgroup.procs"
done

enter() {
  mount --make-rprivate /
  mount --bind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  # Parameters of the kernel are the host's, but for those of the network namespace.
  mount --bind proc/sys proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs tmpfs tmp
  mount -t tmpfs -o mode=755 tmpfs dev
  for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  if [ "$2" = /sys/fs/cgroup ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
  else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
  fi
  mkdir -p .host
  pivot_root . .host
  umount -l .host
  rmdir .host
  cd /
  # Told that it is in a container, systemd leaves hardware and host alone.
  exec env -i container=ctlab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=multi-user.target --log-target=journal --show-status=0
}

export -f enter
exec unshare --pid --mount --uts --ipc --cgroup --fork --kill-child --mount-proc=/proc \
  bash -euo pipefail -c 'enter "$@"' boot "$root" "${hierarchies[0]}"
