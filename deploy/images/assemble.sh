#!/bin/sh
# assemble.sh MODULE MAIN OUT: builds MODULE and gathers under OUT, an absolute path, all that it runs
# with: lib/ (jars), java/ (a runtime of the modules needed), app.args (flags, class path, main class)
# and train.sh. OUT must be the path it will run at, since app.args names it. Runs in the repository's
# root with a JDK 25 in JAVA_HOME.
set -eu

module=$1
main=$2
out=$3
here=$(dirname "$0")
# What the services' libraries ask for beyond java.base: logging, JMX for metrics, XML for Logback, JNDI
# for gRPC's resolver, the HTTP client of the Kubernetes client, sun.misc for what is left of Unsafe.
modules=java.base,java.logging,java.management,java.naming,java.net.http,java.sql,java.xml,jdk.management,jdk.unsupported

mkdir -p "$out/lib"
./mvnw -B -ntp -pl "$module" -am -DskipTests package dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$out/lib"
for jar in "$module/target/$module"-*.jar; do
    case $jar in
    *-tests.jar | *-sources.jar) ;;
    *) cp "$jar" "$out/lib/" ;;
    esac
done
"$JAVA_HOME/bin/jlink" --add-modules "$modules" --strip-debug --no-header-files --no-man-pages --output "$out/java"
cp "$here/train.sh" "$out/train.sh"
# A wildcard class path has the order of the folder, which differs between file systems, and the AOT cache
# is refused, without a word, under another class path than it was made with.
{
    cat "$here/jvm.args"
    [ ! -e "$here/$module/jvm.args" ] || cat "$here/$module/jvm.args"
    printf -- '-cp\n'
    printf '%s\n' "$out"/lib/*.jar | LC_ALL=C sort | paste -sd: -
    printf '%s\n' "$main"
} >"$out/app.args"
