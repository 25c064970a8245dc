# shellcheck shell=bash disable=SC2154 # dir is set by services.sh
# MariaDB. The core packages hold the programs without a system service.

mariadb_install() { need_packages mariadb-server-core mariadb-client-core; }

mariadb_start() {
  local home=$dir/mariadb user
  user=$(id -un)
  mkdir -p "$home"
  if [[ ! -e $home/formatted ]]; then
    rm -rf "$home/data"
    # Root only through the socket; the tests' user is made at every start.
    timeout 60 mariadb-install-db --no-defaults --user="$user" --datadir="$home/data" --skip-test-db \
      --auth-root-authentication-method=socket --auth-root-socket-user="$user" \
      --innodb-log-file-size=16M </dev/null >>"$home/log" 2>&1 9>&- || {
      tail -n 20 "$home/log" >&2
      echo "mariadb: could not create its data folder" >&2
      return 1
    }
    : >"$home/formatted"
  fi
  # All privileges: tests create databases of their own.
  cat >"$home/init.sql" <<'SQL'
CREATE DATABASE IF NOT EXISTS sluice CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'sluice'@'%' IDENTIFIED BY 'sluice';
GRANT ALL PRIVILEGES ON *.* TO 'sluice'@'%' WITH GRANT OPTION;
SQL
  # A socket path may be 107 bytes long at most, so it is named from the working folder.
  launch mariadb mariadbd --no-defaults --user="$user" --datadir="$home/data" \
    --socket=../sock --pid-file="$home/server-pid" --init-file="$home/init.sql" \
    --bind-address=127.0.0.1 --port="$(port_of mariadb)" --skip-name-resolve --skip-log-bin \
    --character-set-server=utf8mb4 --performance-schema=OFF --max-connections=300 \
    --innodb-buffer-pool-size=48M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2
}

mariadb_ready() {
  within 60 mariadb mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port="$(port_of mariadb)" \
    --user=sluice --password=sluice --connect-timeout=2 --execute='SELECT 1' sluice
}
