#!/usr/bin/env bash
# Everything there is to check: packages, build, types, lint, layers, then all tests. As root, because the tests make
# network namespaces. The last line reads `N passed, M failed, K skipped`; any failure is a non-zero exit status, and
# with CI=true a skipped test is one too.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

if [ "$(id -u)" -ne 0 ]; then
  echo "The tests make network namespaces: run this as root" >&2
  exit 1
fi

scripts/install-packages.sh \
  conntrackd=conntrackd conntrack=conntrack nft=nftables ip=iproute2 keepalived=keepalived \
  tcpdump=tcpdump g++=g++ make=make python3=python3 pgrep=procps \
  tmux=tmux socat=socat mandoc=mandoc groff=groff-base \
  mmdebstrap=mmdebstrap dpkg-shlibdeps=dpkg-dev strip=binutils shellcheck=shellcheck
scripts/prepare.sh

# Old reports must not be counted again.
reports=.report
rm -rf "$reports"
mkdir -p "$reports"
status=0

# Tests run even where a check fails, so that one run shows all there is to mend.
npm run --silent check || status=1

# What an earlier run left behind when it was killed.
node dist/test/lab/sweep.js

# vitest NAME PROJECT...: a report of these projects under that name.
vitest() {
  local name=$1
  shift
  local words=() project
  for project in "$@"; do words+=(--project "$project"); done
  npx vitest run "${words[@]}" --passWithNoTests --reporter=default --reporter=json \
    --outputFile.json="$reports/$name.json" || status=1
}

vitest pure unit golden property simulation
# One at a time: these measure time, and the machines they run on are small.
for project in kernel interop e2e; do vitest "$project" "$project"; done

[ "$status" -eq 0 ] || echo "not everything is well: see above"
node scripts/counts.mjs "$reports"/*.json || status=1
exit "$status"
