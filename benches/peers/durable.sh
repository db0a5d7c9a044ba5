#!/usr/bin/env bash
# Prints tables, as Markdown: one of minimal bets that are durable when they are answered: our core in process and behind a
# unix socket, PostgreSQL and Redis, on one disk; one of orders, in all of exchange-core, and one of messages that Aeron's
# archive records. Fails if one does not come to the answers, balances and trades that all should.
# Usage: benches/peers/durable.sh > table.md     (fifteen minutes the first time, nine after that)
# Needs cargo, and for their rows PostgreSQL 14 or later and Redis 7: apt-get install postgresql redis-server. Both are
# started here, with all that they write in target/peers, and stopped again. As root, PostgreSQL runs as the user postgres.
# For orders and messages it needs Java 17 or later and Maven: apt-get install openjdk-17-jdk-headless maven.
set -euo pipefail
cd "$(dirname "$0")/../.."
peers=benches/peers
target=$PWD/target/peers
fail() { echo "$1" >&2; exit 1; }

cargo fetch --quiet --locked --manifest-path "$peers/Cargo.toml" || fail "cargo could not get the crate that it names above"
cargo build --quiet --release --locked --manifest-path "$peers/Cargo.toml" --target-dir "$target" --features durable \
    --bin durable || fail "the program did not build"

work=$(mktemp -d "$target/durable.XXXXXX")
redis_pid=
pg=
as_postgres=()
stop() {
    [ -z "$pg" ] || "${as_postgres[@]}" "$pg/pg_ctl" -D "$work/postgres" -m immediate stop > "$work/stop.log" 2>&1 || true
    [ -z "$redis_pid" ] || { kill "$redis_pid" && wait "$redis_pid"; } 2> "$work/stop.log" || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

args=()
missing=()
bin=$(command -v pg_ctl || ls -d /usr/lib/postgresql/*/bin/pg_ctl 2> "$work/none" | sort -V | tail -n 1 || true)
if [ -n "$bin" ]; then
    bin=$(dirname "$bin")
    mkdir "$work/postgres" "$work/pg"
    if [ "$(id -u)" = 0 ]; then
        as_postgres=(setpriv --reuid postgres --regid postgres --init-groups)
        chown postgres "$work/postgres" "$work/pg"
        chmod 711 "$work"
        "${as_postgres[@]}" test -w "$work/postgres" || fail "the user postgres may not write in $work: use a checkout that it may enter"
    fi
    "${as_postgres[@]}" "$bin/initdb" -D "$work/postgres" -U postgres -A trust -E UTF8 --locale C > "$work/initdb.log" ||
        fail "initdb failed"
    # As it comes, with more memory, room for its log, no checkpoint in between, and indexes used from the first row on: a
    # plan is kept that was made when the table was empty. Durable at every commit is the default.
    cat >> "$work/postgres/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/pg'
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 1h
fsync = on
synchronous_commit = on
enable_seqscan = off
END
    "${as_postgres[@]}" "$bin/pg_ctl" -D "$work/postgres" -l "$work/pg/log" -w start > "$work/pg_ctl.log" ||
        { cat "$work/pg/log" >&2; fail "PostgreSQL did not start"; }
    pg=$bin
    args+=(--postgres "$work/pg")
else
    missing+=("PostgreSQL is not installed, so it is left out: apt-get install postgresql")
fi
if command -v redis-server > "$work/none"; then
    mkdir "$work/redis"
    redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work/redis" --save "" --appendonly yes --appendfsync always \
        --auto-aof-rewrite-percentage 0 > "$work/redis.log" &
    redis_pid=$!
    for _ in $(seq 100); do [ -S "$work/redis.sock" ] && break; sleep 0.1; done
    [ -S "$work/redis.sock" ] || { cat "$work/redis.log" >&2; fail "Redis did not start"; }
    args+=(--redis "$work/redis.sock")
else
    missing+=("Redis is not installed, so it is left out: apt-get install redis-server")
fi

orders=()
messages=
if command -v java > "$work/none" && command -v mvn > "$work/none"; then
    mvn -q -B -f "$peers/java/pom.xml" compile > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log" >&2; fail "the Java program did not build"; }
    mkdir "$work/streams" "$work/journals"
    "$target/release/durable" streams "$work/streams"
    # What its libraries reach into since Java 9.
    opens=()
    for package in java.lang java.lang.reflect java.io java.nio sun.nio.ch jdk.internal.ref; do
        opens+=(--add-opens "java.base/$package=ALL-UNNAMED")
    done
    java -Xms1g -Xmx1g -XX:+UseParallelGC -XX:+AlwaysPreTouch "${opens[@]}" \
        -cp "$target/java/classes:$target/java/dependency/*" Orders "$work/journals" "$work"/streams/* > "$work/rows" ||
        fail "exchange-core did not play the streams"
    orders=(--orders "$work/rows")
    mvn -q -B -f "$peers/aeron/pom.xml" compile > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log" >&2; fail "the program of Aeron did not build"; }
    mkdir "$work/aeron"
    java --add-opens java.base/sun.nio.ch=ALL-UNNAMED --add-opens java.base/jdk.internal.misc=ALL-UNNAMED \
        -cp "$target/aeron/classes:$target/aeron/dependency/*" RoundTrips "$work/aeron" > "$work/messages" ||
        fail "Aeron did not answer"
    messages=$work/messages
else
    missing+=("Java or Maven is not installed, so exchange-core and Aeron are left out: apt-get install openjdk-17-jdk-headless maven")
fi

echo "$(git describe --always --dirty), $(rustc --version)"
"$target/release/durable" table "$work" "${args[@]}" "${orders[@]}"
for line in "${missing[@]}"; do echo "- **$line**"; done
cat <<'END'
- Ours has the whole path of a bet in it: limits, liability, ledger, digests, audit records; PostgreSQL and Redis have the few
  statements that stand in `src/bin/durable/place.sql` and `place.lua`. Theirs can be asked anything afterwards, ours only what it
  keeps.
- In process there is no socket and no other process: that is how ours is meant to be used, and not like for like. Behind the
  unix socket is: a process of its own, a read and a write a request, as theirs.
- PostgreSQL has one statement and one commit a request, over a unix socket; Redis one pipeline a request, its file synced
  after every turn of its loop (appendfsync always). Neither is replicated, nor is ours. PostgreSQL has a process for each connection.
- Ours waits by giving way, not by sleeping: it takes a whole core while it waits, the others do not.
- Clients and servers share the cores.
END
[ -z "$messages" ] || { echo; cat "$messages"; echo; }
[ -z "$messages" ] || cat <<'END'
- The second table is of orders and not of bets: exchange-core 0.5.3 has risk of two currencies, one market with its direct book, and
  its journal, which writes each batch through to the disk before it is answered; no price to keep, no limits, no request that
  comes again. Ours is not in it. The median of 3 rounds by orders/s, after one of each that does not count.
- exchange-core is made for a core for each of its four threads, five with a journal; here they share these, and wait as its defaults say.
- The third table is of messages: one of 128 bytes at a time over shared memory to an agent, which sends it back once Aeron
  1.46.7's archive has recorded it. Nothing is decided, and nobody else asks, so nothing shares a sync. Comparable with one bet at a time
  is the synced row; the other would lose what it answered in a power cut, as ours at level `Process`. Driver, archive, agent and client
  have a thread each and give way while they wait. Aeron Cluster, which replicates before it answers, is not here.
END
