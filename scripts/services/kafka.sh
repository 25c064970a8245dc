# shellcheck shell=bash disable=SC2154 # dir and root are set by services.sh
# Apache Kafka in KRaft mode: one node, broker and controller, run from its
# Maven artifacts (scripts/kafka/pom.xml pins them).

kafka_version() { sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$root/scripts/kafka/pom.xml"; }

kafka_install() {
  if ! command -v java >/dev/null; then
    need_packages openjdk-17-jre-headless
  fi
  local lib
  lib=$dir/lib/kafka-$(kafka_version)
  [[ ! -e $lib/complete ]] || return 0
  if ! command -v mvn >/dev/null; then
    need_packages maven
  fi
  mkdir -p "$lib"
  echo "fetching Apache Kafka $(kafka_version) and what it needs"
  timeout 600 mvn -B -q -ntp -f "$root/scripts/kafka/pom.xml" -Dlib="$lib" generate-resources \
    </dev/null >"$lib/mvn.log" 2>&1 9>&- || {
    tail -n 20 "$lib/mvn.log" >&2
    echo "kafka: could not fetch its artifacts with Maven" >&2
    return 1
  }
  : >"$lib/complete"
}

kafka_start() {
  local home=$dir/kafka port lib
  port=$(port_of kafka)
  lib=$dir/lib/kafka-$(kafka_version)
  mkdir -p "$home/data"
  kafka_properties "$home" "$port" >"$home/server.properties"
  local java=(java -cp "$lib/*" -Dlog4j.configuration="file:$root/scripts/kafka/log4j.properties"
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true)
  if [[ ! -e $home/data/meta.properties ]]; then
    timeout 60 "${java[@]}" -Xmx128m kafka.tools.StorageTool format --config "$home/server.properties" \
      --cluster-id U2x1aWNlVGVzdEthZmthMQ </dev/null >>"$home/log" 2>&1 9>&- || {
      tail -n 20 "$home/log" >&2
      echo "kafka: could not format its storage" >&2
      return 1
    }
  fi
  launch kafka "${java[@]}" -Xms256m -Xmx512m kafka.Kafka "$home/server.properties"
}

kafka_properties() {
  cat <<CONF
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$(($2 + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$2
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$(($2 + 1))
log.dirs=$1/data
auto.create.topics.enable=true
num.partitions=4
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
log.retention.hours=24
log.cleaner.dedupe.buffer.size=8388608
log.index.size.max.bytes=1048576
num.network.threads=2
num.io.threads=4
background.threads=2
CONF
}

# The port opens before the broker serves; the probe then asks in Kafka's own
# protocol until it does.
kafka_ready() { within 90 kafka taken "$(port_of kafka)"; }
