#!/usr/bin/env bash
# Brings a checkout to where it runs: dependencies by npm ci, addon and TypeScript built. Does what is out of date only.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null 2>&1; then
  echo "Node.js is missing; version 20 or later is needed" >&2
  exit 1
fi
if [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
  echo "Node.js $(node --version) is too old; version 20 or later is needed" >&2
  exit 1
fi

if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "npm ci"
  # The addon is built below, with the other things; no dependency needs a script of its own.
  npm ci --ignore-scripts --no-audit --no-fund
fi

# Whether $1 is missing or older than anything in the folders and files that follow.
outdated() {
  local target=$1
  shift
  [ ! -e "$target" ] || [ -n "$(find "$@" -newer "$target" -type f -print -quit)" ]
}

if outdated build/Release/conntrackd.node native binding.gyp || [ ! -x build/Release/conntrackd ]; then
  echo "building the addon and the native client"
  # Headers that came with this Node.js spare node-gyp the download of them.
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  headers=()
  if [ -f "$prefix/include/node/node.h" ]; then headers=("--nodedir=$prefix"); fi
  npm run --silent build:native -- "${headers[@]}"
fi
stamp=dist/.built
if outdated "$stamp" grammar src bench scripts test/lab tsconfig.json tsconfig.build.json package.json; then
  echo "building TypeScript"
  npm run --silent build:ts
  touch "$stamp"
fi
