# shellcheck shell=bash disable=SC2154 # dir is set by services.sh
# Redis.

redis_install() { need_packages redis-server redis-tools; }

redis_start() {
  # noeviction and a log of all writes, as in production: a Redis that silently
  # forgets would hide bugs.
  launch redis redis-server --bind 127.0.0.1 --port "$(port_of redis)" --dir "$dir/redis/data" \
    --daemonize no --appendonly yes --appendfsync everysec --save '' \
    --maxmemory 256mb --maxmemory-policy noeviction
}

redis_ready() {
  within 15 redis redis_answers
}

redis_answers() {
  [[ $(timeout 3 redis-cli -h 127.0.0.1 -p "$(port_of redis)" PING) == PONG ]]
}
