#!/usr/bin/env bash
# Opens the pages of `convert --report` in a real browser and checks them: what works by mouse and by keyboard, on a phone, in
# dark mode, without scripts; that nothing is loaded and nothing is logged; accessibility by axe-core.
#
# usage: scripts/check_report.sh [DIR]        DIR: target/report-pages by default; it gets pages and screenshots
#
# Needs Rust, Node 18 or newer with npm, and Chromium (Debian: apt-get install chromium); CHROMIUM names its binary.
# playwright-core and axe-core come from npm;
# playwright-core 1.60 still runs with the Node 18 of Debian 12.
set -euo pipefail
cd "$(dirname "$0")/.."
pages=${1:-target/report-pages}
tools=target/report-env
browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$browser" ]; then
    echo "check_report.sh: no Chromium; install one, or name it with CHROMIUM=" >&2
    exit 1
fi
if ! [ -d "$tools/node_modules/axe-core" ]; then
    mkdir -p "$tools"
    npm install --prefix "$tools" --no-save --no-audit --no-fund --loglevel=error playwright-core@1.60 axe-core@4.14
fi
mkdir -p "$pages"
REPORT_PAGES=$(realpath "$pages") cargo test --quiet --test tests -- --ignored report::pages_for_browsers
CHROMIUM=$browser NODE_PATH=$PWD/$tools/node_modules node scripts/check_report.cjs "$pages"
