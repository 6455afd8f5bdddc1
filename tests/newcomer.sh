#!/usr/bin/env bash
# Walk a newcomer's path by the clock: a fresh clone and environment, `make quickstart`, every block of docs/start.md.
# Usage: tests/newcomer.sh FOLDER > TRANSCRIPT; the clone goes into FOLDER, the environment takes 7 GB there.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
git clone --quiet "$repository" "${1:?a folder for the clone}"
cd "$1"

# A command, the end of what it prints, and its seconds.
step() {
    local begun=$SECONDS
    echo "\$ $1"
    bash -c "$1" 2>&1 < /dev/null | tail -n "${2:-4}"
    printf '[%d s]\n\n' $((SECONDS - begun))
}

of_start() {
    python -c 'import sys; from tests.docs.pages import *; print(*blocks(REPOSITORY / "docs/start.md", sys.argv[1]))' "$1"
}

step "make .venv/ready"
export PATH=$PWD/.venv/bin:$PATH
step "make quickstart" 12
of_start python > snippet.py
while read line; do # without -r: a backslash at its end goes on with the next one
    [ -z "$line" ] || step "$line"
done < <(of_start sh)
step "python snippet.py"
printf 'all: %d s\n' $SECONDS
