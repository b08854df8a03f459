#!/usr/bin/env bash
# Asks a real server for whatever its own description allows, and for what it does not, by schemathesis: every answer
# must be one that is described, none may be a 5xx, and every operation has to say yes at least once. Exit status: 0 nothing found; 1 found; 2 it could not be run.
#
#   tests/fuzz/run.sh [WORDS FOR SCHEMATHESIS]...
#   OPSBELL_FUZZ_SECONDS=300                       how long
#   OPSBELL_FUZZ_SEED=1                            the same cases again
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${OPSBELL_FUZZ_SECONDS:-300} seed=${OPSBELL_FUZZ_SEED:-$RANDOM}
version=4.32.5

cannot() {
    echo "./dev fuzz: $1" >&2
    exit 2
}

venv=$PWD/target/schemathesis-$version
if [ ! -x "$venv/bin/schemathesis" ]; then
    command -v python3 >/dev/null || cannot "there is no python3; on Debian or Ubuntu: sudo apt-get install -y python3 python3-venv"
    rm -rf "$venv"
    mkdir -p target
    python3 -m venv "$venv" >/dev/null 2>&1 ||
        { rm -rf "$venv"; cannot "python3 has no venv; on Debian or Ubuntu: sudo apt-get install -y python3-venv"; }
    echo "Installing schemathesis $version into $venv ..." >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version" >"$venv/pip.log" 2>&1 ||
        { why=$(tail -n 1 "$venv/pip.log"); rm -rf "$venv"; cannot "schemathesis cannot be installed, it comes from PyPI over the network: $why"; }
fi

cargo build --quiet --bin opsbell
opsbell=${CARGO_TARGET_DIR:-target}/debug/opsbell

work=$(mktemp -d)
server=''
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

for source in ALERTMANAGER GENERIC OPSGENIE PAGERDUTY TEXT; do
    export "OPSBELL_FUZZ_KEY_$source=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')"
done
"$opsbell" serve --config tests/fuzz/config --data "$work/data" --listen 127.0.0.1:0 2>"$work/log" &
server=$!
for _ in $(seq 100); do
    "$opsbell" health --data "$work/data" >/dev/null 2>&1 && break
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; cannot "the server did not start"; }
    sleep 0.1
done
address=$(sed -n 's/.*"address": *"\([^"]*\)".*/\1/p' "$work/data/server.json")
[ -n "$address" ] || cannot "the server did not say where it listens"

# Something to find: three incidents, one of them closed, one with a postmortem; a problem; a silence.
for words in '/incident declare one service:ledger severity:sev1' '/incident declare two severity:sev3' \
    '/incident declare three' '/incident resolve INC-3 fixed' '/incident close INC-3' \
    '/incident declare four service:api severity:sev1' '/incident resolve INC-4 fixed' \
    '/problem open "It comes back" service:ledger' '/change new "Move" service:ledger plan:a rollback:b' '/alert silence service:ledger for:2h reason:"new disks"'; do
    "$opsbell" say "$words" --as bas --data "$work/data" >/dev/null
done

export SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$PWD/tests/fuzz PYTHONDONTWRITEBYTECODE=1
OPSBELL_FUZZ_PERSON=$("$opsbell" token add bas --data "$work/data" 2>/dev/null)
export OPSBELL_FUZZ_PERSON OPSBELL_FUZZ_ANSWERS=$work/answers OPSBELL_FUZZ_SEED=$seed OPSBELL_FUZZ_ADMIN=$(cat "$work/data/admin.token")
status=0
# ask SECONDS WORDS: from a directory of its own, as schemathesis leaves a cache where it stands.
ask() {
    local limit=$1
    shift
    (cd "$work" && "$venv/bin/schemathesis" run "http://$address/openapi.json" "$@" \
        --checks not_a_server_error,status_code_conformance,response_schema_conformance --warnings off \
        --max-time "$limit" --seed "$seed" --request-timeout 30 --continue-on-failure --generation-database none) || status=1
}
echo "Asking http://$address for $seconds s, seed $seed ..." >&2
# A stream of events never ends: tests/http/events.rs asks for those.
ask $((seconds / 2)) --exclude-path /v1/events "$@"
# Where strangers' payloads and people's words are read, more.
ask $((seconds - seconds / 2)) --include-path-regex '^/v1/(say|complete|ingest)|/v2/|postmortem' --phases fuzzing "$@"

cat "$work/answers"
if grep -qE '\b5[0-9]{2}: ' "$work/answers"; then status=1; fi
# A short run does not come to everything.
if [ "$seconds" -ge 120 ] && grep -q 'never succeeded' "$work/answers"; then status=1; fi
kill -0 "$server" 2>/dev/null || { echo "./dev fuzz: the server has ended" >&2; status=1; }
if grep -n 'panicked\|made its handler panic' "$work/log" >&2; then status=1; fi
if [ "$status" != 0 ]; then
    cp "$work/log" target/fuzz-server.log
    echo "./dev fuzz: the server's log is target/fuzz-server.log; the same again: OPSBELL_FUZZ_SEED=$seed ./dev fuzz" >&2
fi
exit "$status"
