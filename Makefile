# What a person types. Each target does the set-up that it needs; the first run takes longer.
#
#   make demo             a three-node cluster on this machine, its story told on the terminal
#   make test             every test: unit, property, real kernel, real etcd, real containerd
#   make bench WHAT=add   figures beside a peer's in the same run: add, ipam, policy, datapath, routes, bgp, services; no WHAT: all areas
#   make soak WHAT=node COUNT=10000   so many pairs of ADD and DEL, and nothing may be left
#   make soak WHAT=ipam-etcd COUNT=50   so many faults of a three-member etcd under claims and releases of blocks
#   make soak WHAT=ipam-sim COUNT=1000   so many seeds of the simulated address management, 1000 operations each
#   make soak WHAT=services COUNT=10000   so many connections to a Service of 2, 3, 5 and 7 endpoints, spread evenly
#   make soak WHAT=starts COUNT=1000   so many pods that send from before they start: nothing forbidden may arrive
#   make fuzz COUNT=10000000   so many executions of the BGP decoder under Jazzer
#   make fmt              formats the sources
#   make setup            only the set-up: packages and the JDK

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: setup setup-test demo test bench soak fuzz fmt build clean

DIST := cli/target/podwire
STAMP := $(DIST)/lib/DIGEST
AOT := $(DIST)/lib/aot/.trained
SOURCES := $(shell find proto common ipam-service policy-service route-reflector node-shim cli \
	-name target -prune -o \( -name '*.java' -o -name '*.proto' -o -name pom.xml -o -path '*/src/main/*' -type f \) -print) \
	$(shell find cni-shim/src -type f) cni-shim/Makefile pom.xml

# Maven runs on JDK 25, wherever that is.
MVN = JAVA_HOME="$$(.ci/jdk)" ./mvnw -B

demo: setup $(AOT)
	$(DIST)/bin/podwire lab demo

# The shim's tests and all others; ends with the names of those that failed, and the count of all of them.
test: setup-test
	@$(MVN) -T 2 verify; result=$$?; .ci/summary; exit $$result

bench: setup-test $(AOT) e2e/target/bench/.built
	$(DIST)/bin/podwire lab run --nodes 1 -- "$$(.ci/jdk)/bin/java" --enable-native-access=ALL-UNNAMED \
		-cp 'e2e/target/bench:$(DIST)/lib/*' io.podwire.e2e.bench.Bench e2e/src/bench/timed.c e2e/target $(WHAT)

# What can be soaked, and the test that does it.
SOAK_node := NodeSoakLabTest
SOAK_COUNT_node := 10000
SOAK_ipam-etcd := EtcdFaultsLabTest
SOAK_COUNT_ipam-etcd := 50
SOAK_ipam-sim := IpamSimulationTest\#everyAddressHasOneOwnerWhateverHappens
SOAK_COUNT_ipam-sim := 1000
SOAK_starts := PodStartsLabTest
SOAK_COUNT_starts := 1000
SOAK_services := ServiceLoadLabTest
SOAK_COUNT_services := 10000
COUNT ?= $(SOAK_COUNT_$(WHAT))
soak: setup-test $(STAMP)
	$(if $(SOAK_$(WHAT)),,$(error WHAT must be one of: node, ipam-etcd, ipam-sim, starts, services))
	$(MVN) package -pl e2e -am -Dtest='$(SOAK_$(WHAT))' -Dsurefire.failIfNoSpecifiedTests=false \
		-Dpodwire.soak.count=$(COUNT)

# Jazzer reads classes of Java 23 at most, so what it fuzzes is compiled for that. What it finds stays in route-reflector/target/fuzz.
FUZZ := route-reflector/target/fuzz
JAZZER := 0.24.0
fuzz: COUNT := $(or $(COUNT),10000000)
fuzz: setup-test $(STAMP)
	mkdir -p $(FUZZ)/classes $(FUZZ)/found
	for part in jazzer jazzer-api; do $(MVN) -q dependency:copy -pl route-reflector -DoutputDirectory=target/fuzz/lib \
		-Dartifact=com.code-intelligence:$$part:$(JAZZER); done
	"$$(.ci/jdk)/bin/javac" --release 23 -proc:none -cp '$(DIST)/lib/*' -d $(FUZZ)/classes \
		common/src/main/java/io/podwire/common/net/*.java \
		route-reflector/src/main/java/io/podwire/route/bgp/{message,codec}/*.java \
		route-reflector/src/test/java/io/podwire/route/bgp/{Corpus,codec/BgpDecoderFuzz}.java
	"$$(.ci/jdk)/bin/java" -cp '$(FUZZ)/classes:$(DIST)/lib/*' io.podwire.route.bgp.codec.BgpDecoderFuzz \
		$(FUZZ)/seeds route-reflector/src/test/resources/corpus/bgp
	jdk="$$(.ci/jdk)" && cd $(FUZZ) && "$$jdk/bin/java" -cp '$(CURDIR)/$(FUZZ)/classes:lib/*:$(CURDIR)/$(DIST)/lib/*' \
		com.code_intelligence.jazzer.Jazzer --target_class=io.podwire.route.bgp.codec.BgpDecoderFuzz \
		'--instrumentation_includes=io.podwire.route.bgp.**' '--custom_hook_includes=io.podwire.**' \
		-runs=$(COUNT) -max_len=4000 found seeds

fmt:
	$(MVN) -q spotless:apply

build: setup $(STAMP)

setup:
	@.ci/setup demo

setup-test:
	@.ci/setup test

$(STAMP): $(SOURCES)
	$(MVN) -q package -DskipTests -pl cni-shim,cli -am
	@touch $@

$(AOT): $(STAMP)
	JAVA_HOME="$$(.ci/jdk)" $(DIST)/bin/podwire-aot
	@touch $@

BENCH := $(wildcard e2e/src/test/java/io/podwire/e2e/bench/*.java)
e2e/target/bench/.built: $(BENCH) $(wildcard e2e/src/test/java/io/podwire/e2e/*/*.java) $(STAMP)
	mkdir -p $(@D)
	"$$(.ci/jdk)/bin/javac" -proc:none -cp '$(DIST)/lib/*' -sourcepath e2e/src/test/java -d $(@D) \
		$(BENCH)
	@touch $@

clean:
	$(MVN) -q clean
	rm -rf e2e/target
