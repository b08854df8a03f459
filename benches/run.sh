#!/usr/bin/env bash
# Measures Opsbell against the ceiling of this machine, both in the same run and by the same means, and prints one
# table for each question of docs/performance.md. Needs cargo, curl and what every Debian has.
#
#   benches/run.sh [rates|latency|discord|memory|start|records|gate|all]...      default: all
#   BENCH_ROUNDS=3 BENCH_SECONDS=3                           rounds per figure (the median is shown) and their length
#   BENCH_DIR=DIR                                            where the data go: the disk that is measured
#   BENCH_KEEP=1                                             keeps them
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${BENCH_ROUNDS:-3} seconds=${BENCH_SECONDS:-3}
[ $# -gt 0 ] && [ "$1" != all ] || set -- rates latency discord memory start records gate
began=$(date +%s)
load_before=$(cut -d' ' -f1-3 /proc/loadavg)

echo "Building (release) ..." >&2
bench=$(cargo build --quiet --release --bin opsbell --bench ceiling --message-format=json |
    sed -n 's/.*"name":"ceiling".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
target=$(dirname "$(dirname "$bench")")
work=$(mktemp -d "${BENCH_DIR:-$target}/bench.XXXXXX")
# Copies, so that a build that goes on beside does not change what is measured.
cp "$bench" "$work/ceiling"
cp "$target/opsbell" "$work/opsbell"
ceiling=$work/ceiling opsbell=$work/opsbell

server='' receiver=''
finish() {
    for pid in $server $receiver; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    [ -n "${BENCH_KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "bench: $1" >&2
    tail -n 20 "$work"/*.log >&2 || true
    exit 1
}

# The value of a NAME in a line of name=value.
value() { tr ' ' '\n' <<<"$2" | sed -n "s/^$1=//p" | head -1; }
# The median of some numbers.
median() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }
# Seconds of processor time that a process has used, in user and system mode.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"; }
mib() { awk -v name="$1:" '$1 == name { printf "%.1f", $2 / 1024 }' "/proc/$2/status"; }

# Waits for the line `listening=ADDRESS` in a log.
listening() {
    local address
    for _ in $(seq 200); do
        address=$(sed -n 's/^listening=//p' "$1")
        [ -n "$address" ] && echo "$address" && return
        sleep 0.05
    done
    fail "$1 does not listen"
}

start_receiver() {
    "$ceiling" receive --listen 127.0.0.1:0 >"$work/receive.log" 2>&1 &
    receiver=$!
    pages=http://$(listening "$work/receive.log")
}

start_ceiling() {
    rm -rf "$work/data"
    "$ceiling" serve --listen 127.0.0.1:0 --data "$work/data" --webhook "$pages/" >"$work/serve.log" 2>&1 &
    server=$!
    url=http://$(listening "$work/serve.log") path=/ingest
}

# One person on call, reached by a webhook; no team channel; one page an incident. $1: how soon a resolved incident
# is closed; $2: `keep` goes on with the data that are there.
start_opsbell() {
    mkdir -p "$work/config"
    cat >"$work/config/opsbell.toml" <<TOML
[operators]
webhooks = ["pager"]
[defaults]
service = "api"
close_after = "$1"
notify.high = ["webhook"]
notify.low = ["webhook"]
[[webhook]]
id = "pager"
url = "$pages/"
$(for n in 1 2 3 4; do
        printf '[[integration]]\nid = "bench-%s"\nsource = "alertmanager"\nkey_env = "BENCH_KEY_%s"\ngroup_by = ["group"]\n' $n $n
    done)
[[person]]
id = "bas"
zone = "Europe/Amsterdam"
webhook = "pager"
[[team]]
id = "ops"
escalation = "ops"
[[escalation]]
id = "ops"
steps = [{ page = ["person:bas"], escalate_after = "12h" }]
[[service]]
id = "api"
team = "ops"
${more_config:-}
TOML
    [ "${2:-}" = keep ] || rm -rf "$work/data"
    BENCH_KEY_1=k BENCH_KEY_2=k2 BENCH_KEY_3=k3 BENCH_KEY_4=k4 OPSBELL_CONFIG=$work/config OPSBELL_DATA=$work/data \
        "$opsbell" serve --listen 127.0.0.1:0 >"$work/opsbell.log" 2>&1 &
    server=$!
    path=/v1/ingest/alertmanager
    for _ in $(seq 12000); do
        url=http://$(sed -n 's/.*"address": *"\([^"]*\)".*/\1/p' "$work/data/server.json" 2>/dev/null || true)
        if [ "$url" != http:// ] && curl -sf -o /dev/null "$url/readyz"; then return; fi
        kill -0 "$server" 2>/dev/null || fail "opsbell has ended"
        sleep 0.005
    done
    fail "opsbell does not become ready"
}

stop_server() {
    kill "$server" && wait "$server" || true
    server=''
}

send() { "$ceiling" load --target "$url" --path "$path" --service api --receiver "$pages" "$@" 2>>"$work/load.log"; }

# One measurement of a fresh server: prints `accepted/s pages/s CPU-µs/alert refused missing`.
measure() {
    # Repeats are so quick that they reach what one key may send a second: four senders send them.
    local kind=$2 connections=$3 told before after keys=k
    [ "$kind" = unique ] || keys=k,k2,k3,k4
    curl -sf -X DELETE "$pages/"
    if [ "$1" = ceiling ]; then start_ceiling; else start_opsbell 3d; fi
    before=$(cpu "$server")
    told=$(send --bearer "$keys" --kind "$kind" --connections "$connections" --seconds "$seconds") ||
        fail "the load was not what was asked for: $told"
    after=$(cpu "$server")
    stop_server
    local load paged
    load=$(grep '^load' <<<"$told") paged=$(grep '^pages' <<<"$told" || true)
    paged=${paged:-pages per_second=- missing=0}
    echo "$(value per_second "$load") $(value per_second "$paged") $(awk -v a="$before" -v b="$after" \
        -v n="$(value accepted "$load")" 'BEGIN { printf "%.0f", (b - a) * 1e6 / (n > 0 ? n : 1) }')" \
        "$(value refused "$load")" "$(value missing "$paged")"
}

rates() {
    printf '\nDurable accepted alerts, and their pages, a second (median of %s rounds of %s s; CPU: user + system, µs an alert)\n\n' "$rounds" "$seconds"
    printf '| connections | skeleton/s | pages/s | CPU | opsbell/s | pages/s | CPU | ratio | CPU ratio | duplicates/s | CPU |\n'
    printf '|---|---|---|---|---|---|---|---|---|---|---|\n'
    local connections a b c refused=0 missing=0
    for connections in 1 16 64; do
        local sr=() sp=() sc=() or=() op=() oc=() dr=() dc=()
        for _ in $(seq "$rounds"); do
            a=($(measure ceiling unique "$connections")) b=($(measure opsbell unique "$connections"))
            c=($(measure opsbell duplicate "$connections"))
            sr+=("${a[0]}") sp+=("${a[1]}") sc+=("${a[2]}") or+=("${b[0]}") op+=("${b[1]}") oc+=("${b[2]}")
            dr+=("${c[0]}") dc+=("${c[2]}")
            refused=$((refused + a[3] + b[3] + c[3])) missing=$((missing + a[4] + b[4]))
        done
        local s o
        s=$(median "${sr[@]}") o=$(median "${or[@]}")
        printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$connections" \
            "$s" "$(median "${sp[@]}")" "$(median "${sc[@]}")" "$o" "$(median "${op[@]}")" "$(median "${oc[@]}")" \
            "$(ratio "$o" "$s")" "$(ratio "$(median "${oc[@]}")" "$(median "${sc[@]}")")" \
            "$(median "${dr[@]}")" "$(median "${dc[@]}")"
    done
    printf '\nRefused: %s; pages missing: %s. Required: ratio ≥ 0.5. Aim: ≥ 13,000/s.\n' "$refused" "$missing"
}

latency() {
    local who told page
    printf '\nAlert → page at 50 alerts a second (4 connections, 20 s)\n\n'
    printf '| | answer p50 ms | answer p99 ms | page p50 ms | page p99 ms | page max ms |\n|---|---|---|---|---|---|\n'
    for who in ceiling opsbell; do
        curl -sf -X DELETE "$pages/"
        if [ "$who" = ceiling ]; then start_ceiling; else start_opsbell 3d; fi
        # The first alerts meet cold connections and caches, as a page at night does; they are counted.
        told=$(send --bearer k --kind unique --connections 4 --rate 50 --seconds 20)
        stop_server
        page=$(grep '^pages' <<<"$told")
        printf '| %s | %s | %s | %s | %s | %s |\n' "${who/ceiling/skeleton}" "$(value p50_ms "$told")" \
            "$(value p99_ms "$told")" "$(value page_p50_ms "$page")" "$(value page_p99_ms "$page")" \
            "$(value page_max_ms "$page")"
    done
    printf '\nRequired: page p50 ≤ fdatasync p50 + 0.6 ms = %s ms. Aim: page p99 ≤ 2 ms.\n' \
        "$(awk -v p="$sync_p50" 'BEGIN { printf "%.2f", p + 0.6 }')"
    told=$("$ceiling" sync --dir "$work" --count 500 --rate 50)
    printf 'For comparison, a sync of the same disk at 50 a second: %s\n' "$told"
}

memory() {
    local case told
    printf '\nMemory (VmRSS when it has settled; VmHWM: the most so far)\n\n| | RSS MiB | peak MiB | aim |\n|---|---|---|---|\n'
    start_opsbell 3d
    sleep 3
    printf '| idle | %s | %s | 25 |\n' "$(mib VmRSS "$server")" "$(mib VmHWM "$server")"
    stop_server
    for case in "1000 150" "100000 300"; do
        set -- $case
        curl -sf -X DELETE "$pages/"
        start_opsbell 3d
        # Only the first alert of a group pages, so the receiver is not asked for all.
        told=$("$ceiling" load --target "$url" --path "$path" --bearer k --service api --connections 16 \
            --count 100000 --groups "$1" --seconds 300 2>>"$work/load.log")
        [ "$(value accepted "$told")" = 100000 ] || fail "not all were accepted: $told"
        sleep 12
        printf '| 100,000 alerts in %s incidents | %s | %s | %s |\n' "$1" "$(mib VmRSS "$server")" "$(mib VmHWM "$server")" "$2"
        stop_server
        start_opsbell 3d keep
        sleep 2
        printf '| … started again | %s | %s | |\n' "$(mib VmRSS "$server")" "$(mib VmHWM "$server")"
        stop_server
    done
}

# $1 alerts that fire, page, recover and are closed, one after the other: about a dozen events each. They are sev3, of
# which no postmortem is drafted.
make_history() {
    curl -sf -X DELETE "$pages/"
    start_opsbell 1s
    "$ceiling" load --target "$url" --path "$path" --bearer k --service api --connections 32 --severity warning \
        --count "$1" --kind recovering --seconds 300 2>>"$work/load.log"
    sleep 8
}

start() {
    local events from to times=() took
    printf '\nStart-up with a history\n\n'
    make_history 90000 >"$work/history.log"
    stop_server
    events=$(cat "$work"/data/journal/*.jsonl | grep -o '"v":1,"' | wc -l)
    events=$((events - $(cat "$work"/data/journal/*.jsonl | wc -l)))
    for _ in 1 2 3; do
        rm -f "$work/data/server.json"
        from=$(date +%s%3N)
        start_opsbell 1s keep
        to=$(date +%s%3N)
        took=$((to - from)) && times+=("$took")
        stop_server
    done
    printf '| events | commits | journal MiB | records MiB | first start ms | later starts ms | RSS aim | aim ms |\n|---|---|---|---|---|---|---|---|\n'
    printf '| %s | %s | %s | %s | %s | %s | | 500 |\n' "$events" "$(cat "$work"/data/journal/*.jsonl | wc -l)" \
        "$(du -sm "$work/data/journal" | cut -f1)" "$(du -sm "$work/data/records" | cut -f1)" "${times[0]}" "${times[*]:1}"
}

records() {
    local kind told
    printf '\nQuestions about 100,000 closed incidents (one connection, 1,000 of each kind)\n\n'
    make_history 100000 >"$work/history.log"
    told=$(cat "$work/history.log")
    [ "$(value accepted "$told")" = 100000 ] || fail "not all were accepted: $told"
    [ "$(curl -s "$url/metrics" | sed -n 's/^opsbell_incidents_open{.*} //p' | awk '{ n += $1 } END { print n + 0 }')" = 0 ] ||
        fail "not all incidents are closed"
    told=$("$ceiling" ask --target "$url" --token-file "$work/data/admin.token" --person bas --incidents 100000 \
        2>>"$work/load.log") || fail "a question was refused"
    stop_server
    printf '| question | p50 ms | p99 ms | max ms |\n|---|---|---|---|\n'
    for kind in list show timeline draft; do
        set -- "$(grep "kind=$kind " <<<"$told")"
        printf '| %s | %s | %s | %s |\n' "$kind" "$(value p50_ms "$1")" "$(value p99_ms "$1")" "$(value max_ms "$1")"
    done
    printf '\nRequired: p99 ≤ 50 ms each.\n'
}

# The gate with 10,000 open records: 5,000 incidents, 5,000 changes on ten services of which each needs the one before.
gate() {
    local kind told services=web0 more_config
    more_config=$'[[service]]\nid = "web0"\nteam = "ops"\n'
    for n in 1 2 3 4 5 6 7 8 9; do
        more_config+="[[service]]"$'\n'"id = \"web$n\""$'\n'"team = \"ops\""$'\n'"depends_on = [\"web$((n - 1))\"]"$'\n'
        services+=,web$n
    done
    printf '\nThe gate with 10,000 open records: 5,000 incidents, 5,000 changes (one connection, the last 1,000 of each kind)\n\n'
    curl -sf -X DELETE "$pages/"
    start_opsbell 3d
    told=$("$ceiling" load --target "$url" --path "$path" --bearer k --service api --connections 16 --count 5000 \
        --seconds 300 2>>"$work/load.log")
    [ "$(value accepted "$told")" = 5000 ] || fail "not all were accepted: $told"
    sleep 3
    told=$("$ceiling" gate --target "$url" --token-file "$work/data/admin.token" --person bas --services "$services" \
        --changes 5000 2>>"$work/load.log") || fail "a question was refused"
    stop_server
    printf '| question | p50 ms | p99 ms | max ms |\n|---|---|---|---|\n'
    for kind in open wait; do
        set -- "$(grep "kind=$kind " <<<"$told")"
        printf '| %s | %s | %s | %s |\n' "$kind" "$(value p50_ms "$1")" "$(value p99_ms "$1")" "$(value max_ms "$1")"
    done
    printf '\nRequired: p99 ≤ 5 ms each.\n'
}

discord() {
    local press told
    press=$(cargo build --quiet --release --bench discord --message-format=json |
        sed -n 's/.*"name":"discord".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
    printf '\nA press of Acknowledge in Discord, from its dispatch to the callback, journaled (a fake Discord, one after the other)\n\n'
    printf '| presses | p50 ms | p99 ms | max ms |\n|---|---|---|---|\n'
    told=$("$press" 300 2>>"$work/load.log") || fail "the presses were not answered"
    printf '| %s | %s | %s | %s |\n' "$(value presses "$told")" "$(value p50_ms "$told")" "$(value p99_ms "$told")" \
        "$(value max_ms "$told")"
    printf '\nAim: p99 ≤ 15 ms.\n'
}

echo "Opsbell $("$opsbell" --version | cut -d' ' -f2) on $(nproc) cores, $(date -u +%FT%TZ), load average at the start: $load_before"
sync_line=$("$ceiling" sync --dir "$work")
sync_p50=$(value p50_ms "$sync_line")
echo "The disk: $sync_line"
start_receiver
for what; do "$what"; done
printf '\nTook %s s; load average now: %s\n' "$(($(date +%s) - began))" "$(cut -d' ' -f1-3 /proc/loadavg)"
