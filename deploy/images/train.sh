#!/bin/sh
# train.sh OPTIONS...: makes app.aot beside itself from a start of the service with OPTIONS, and proves that
# the service's own command line accepts it. To be run in the step that brings the jars: JDK 25.0.3 does not
# notice a cache whose jars were replaced later (JDK-8377932) and runs the old code.
set -eu

home=$(cd "$(dirname "$0")" && pwd)
java=$home/java/bin/java
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# A service that cannot go all the way here (no etcd, no Kubernetes, no network device) ends by itself, or is
# ended after a minute: what it loaded until then is in the cache.
"$java" -XX:AOTCacheOutput="$home/app.aot" "@$home/app.args" "$@" >"$log" 2>&1 &
service=$!
left=60
while [ "$left" -gt 0 ] && kill -0 "$service" 2>/dev/null && ! grep -q 'serves gRPC on' "$log"; do
    sleep 1
    left=$((left - 1))
done
kill -TERM "$service" 2>/dev/null || true
wait "$service" || true
cat "$log"
if ! "$java" -XX:AOTMode=on -XX:AOTCache="$home/app.aot" "@$home/app.args" --version; then
    echo "train: the AOT cache is missing or refused" >&2
    exit 1
fi
