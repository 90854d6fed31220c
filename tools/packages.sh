# Sourced by tools/quickstart and tools/check: which Debian packages a task needs, and how they come.
# shellcheck shell=bash

build_packages=(
  g++ meson ninja-build pkg-config cmake python3
  liburing-dev libsimdjson-dev libbrotli-dev zlib1g-dev libmimalloc-dev node-llhttp
  libc-ares-dev libsqlite3-dev libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev
  ca-certificates
)
test_packages=(
  libgtest-dev googletest libbenchmark-dev clang-format git openssl strace procps util-linux
  groff-base mandoc zsh fish python3-jsonschema faketime
)
# tools/package.
package_packages=(debhelper dpkg-dev lintian mmdebstrap)
# Load for the benchmarks that compare with other servers.
bench_packages=(wrk)
# Receivers in tests/e2e/foreign.
foreign_packages=(php-cli puma)
# For the console's tests.
browser_packages=(chromium)

# Which BoringSSL: the source in cargo's registry, or (BORINGSSL=system) the library that Debian packages.
boringssl=${BORINGSSL:-crate}
system_boringssl_packages=(android-libboringssl-dev)
[ "$boringssl" = system ] && build_packages+=("${system_boringssl_packages[@]}")

# Installs what is missing of the packages named, and says what it does.
ensure_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing Debian packages: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "error: not root and no sudo; run: apt-get install ${missing[*]}" >&2
      return 1
    }
    as_root=(sudo)
  fi
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends --no-remove "${missing[@]}"; } \
    >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "error: the packages could not be installed; the whole output is in $log" >&2
    return 1
  fi
  rm -f "$log"
}

# Fetches the sources that tools/crates names, with the cargo that is there or one that Debian packages.
ensure_packaged_sources() {
  [ "$boringssl" = crate ] || return 0
  local tool="$root/tools/packaged_source.py"
  python3 -B "$tool" cached && return 0
  if ! python3 -B "$tool" cargo 2>/dev/null && ! ensure_cargo; then
    echo "Without cargo: BORINGSSL=system builds with the BoringSSL that Debian packages (android-libboringssl-dev)" >&2
    return 1
  fi
  echo "fetching the source of BoringSSL (crate boring-sys)"
  python3 -B "$tool" fetch boring-sys >/dev/null
}

# Fetches the npm packages that the console is made with (src/console), with node and npm if they are missing. Without
# them a build has no console, which CONSOLE=enabled refuses; CONSOLE=disabled does not look for them.
ensure_console_packages() {
  local tool="$root/tools/npm_packages.py" console="$root/src/console"
  [ "${CONSOLE:-auto}" = disabled ] && return 0
  python3 -B "$tool" cached "$console" && return 0
  if { command -v node && command -v npm; } >/dev/null || ensure_packages nodejs npm; then
    echo "fetching the npm packages of the console"
    python3 -B "$tool" fetch "$console" >/dev/null && return 0
  fi
  [ "${CONSOLE:-auto}" = enabled ] && return 1
  echo "note: this build has no console (CONSOLE=enabled makes that an error)" >&2
}

# Debian 12's package cargo is too old, and cargo-web would take the place of cargo and rustup: what somebody
# installed stays.
ensure_cargo() {
  local package
  for package in cargo rustup; do
    if dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
      python3 -B "$root/tools/packaged_source.py" cargo
      echo "error: a newer cargo cannot be installed beside the package $package, and that is yours to keep or remove" >&2
      return 1
    fi
  done
  package=cargo
  # shellcheck source=/dev/null
  [ "$(. /etc/os-release && echo "${VERSION_ID:-}")" = 12 ] && package=cargo-web
  ensure_packages "$package"
}

# Configures a build directory once; later calls only check it.
configure() {
  local directory=$1
  shift
  if [ -f "$directory/build.ninja" ]; then
    [ -z "${BORINGSSL:-}" ] || meson configure "$directory" "-Dboringssl=$boringssl"
    [ -z "${CONSOLE:-}" ] || meson configure "$directory" "-Dconsole=$CONSOLE"
    return
  fi
  local launcher=""
  command -v ccache >/dev/null && launcher="ccache "
  local log
  log=$(mktemp)
  if ! CC="${launcher}${CC:-gcc}" CXX="${launcher}${CXX:-g++}" meson setup "$directory" "-Dboringssl=$boringssl" "-Dconsole=${CONSOLE:-auto}" "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "error: meson could not configure $directory; the whole output is in $log" >&2
    return 1
  fi
  rm -f "$log"
}

# Puts the npm packages that tests/e2e/npm locks into a build directory, with node if it is missing. Nothing
# of theirs runs on the way.
ensure_npm_packages() {
  local directory=$1/npm wanted=tests/e2e/npm
  command -v node >/dev/null && command -v npm >/dev/null || ensure_packages nodejs npm
  cmp -s "$wanted/package-lock.json" "$directory/installed-lock.json" && return 0
  echo "installing npm packages into $directory"
  mkdir -p "$directory"
  cp "$wanted/package.json" "$wanted/package-lock.json" "$directory"
  npm ci --prefix "$directory" --ignore-scripts --no-audit --no-fund --silent || {
    echo "error: the npm packages could not be installed; try: npm ci --prefix $directory" >&2
    return 1
  }
  cp "$wanted/package-lock.json" "$directory/installed-lock.json"
}

# Puts the Python packages that tests/e2e/foreign locks, by hash, into a venv in a build directory.
ensure_python_packages() {
  local directory=$1/python wanted=tests/e2e/foreign/requirements.txt
  cmp -s "$wanted" "$directory/installed-requirements.txt" && return 0
  python3 -c 'import ensurepip, venv' 2>/dev/null || ensure_packages python3-venv
  echo "installing Python packages into $directory"
  rm -rf "$directory"
  if ! { python3 -m venv "$directory" &&
    "$directory/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
      --requirement "$wanted"; }; then
    echo "error: the Python packages could not be installed; try: $directory/bin/pip install -r $wanted" >&2
    return 1
  fi
  cp "$wanted" "$directory/installed-requirements.txt"
}

# Unpacks Debian's nginx, HAProxy and Prometheus into a build directory. Installed they would start as services.
ensure_servers() {
  local directory=$1/servers
  local packages=(nginx haproxy prometheus liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-posix3)
  cmp -s <(echo "${packages[@]}") "$directory/unpacked" && return 0
  echo "unpacking into $directory: ${packages[*]}"
  rm -rf "$directory"
  mkdir -p "$directory/root"
  if ! (cd "$directory" && apt-get download -qq "${packages[@]}" 2>apt.log); then
    tail -n 5 "$directory/apt.log" >&2
    echo "error: the packages could not be fetched; try: apt-get update" >&2
    return 1
  fi
  local package
  for package in "$directory"/*.deb; do dpkg-deb --extract "$package" "$directory/root"; done
  rm -f "$directory"/*.deb
  echo "${packages[@]}" >"$directory/unpacked"
}

# Builds the Go programs that tests/e2e/foreign/go locks into a build directory. Debian 12's own Go is too old for
# them: without a newer one there are none, and their tests say so.
ensure_go_programs() {
  local directory=$1/go wanted=tests/e2e/foreign/go
  cmp -s "$wanted/go.sum" "$directory/installed-go.sum" && return 0
  command -v go >/dev/null && GOTOOLCHAIN=local go -C "$wanted" version >/dev/null 2>&1 || {
    echo "there is no Go that builds $wanted: its tests are skipped"
    return 0
  }
  echo "building Go programs into $directory"
  mkdir -p "$directory"
  GOTOOLCHAIN=local go -C "$wanted" build -o "$(realpath "$directory")/" tool || {
    echo "error: the Go programs could not be built; try: go -C $wanted build tool" >&2
    return 1
  }
  cp "$wanted/go.sum" "$directory/installed-go.sum"
}

# Builds the programs of CI systems that tests/e2e/integrations/go locks into a build directory: Buildkite's agent, and a sender
# with the libraries of CloudEvents and Drone. Some five minutes of CPU.
ensure_ci_programs() {
  local directory=$1/ci-systems wanted=tests/e2e/integrations/go
  cmp -s "$wanted/go.sum" "$directory/installed-go.sum" && cmp -s "$wanted/sender/main.go" "$directory/main.go" && return 0
  command -v go >/dev/null && GOTOOLCHAIN=local go -C "$wanted" version >/dev/null 2>&1 || {
    echo "error: there is no Go that builds $wanted" >&2
    return 1
  }
  echo "building programs of CI systems into $directory"
  mkdir -p "$directory"
  GOTOOLCHAIN=local go -C "$wanted" build -o "$(realpath "$directory")/" ./sender github.com/buildkite/agent/v3 || {
    echo "error: the programs could not be built; try: go -C $wanted build ./sender github.com/buildkite/agent/v3" >&2
    return 1
  }
  cp "$wanted/sender/main.go" "$directory/"
  cp "$wanted/go.sum" "$directory/installed-go.sum"
}

# Builds the Gitea that tests/e2e/gitea locks, by hash, into a build directory: some six minutes of CPU. The database of
# Go's hashes does not know this module behind every proxy, so the lock is what is checked, and its own go.sum the rest.
ensure_gitea() {
  local directory=$1/gitea wanted=tests/e2e/gitea/lock version hash
  cmp -s "$wanted" "$directory/installed.lock" && return 0
  read -r version hash <"$wanted"
  echo "building Gitea $version into $directory"
  local found
  found=$(GONOSUMDB=code.gitea.io GOFLAGS=-mod=mod go mod download -json "code.gitea.io/gitea@$version") || {
    echo "error: Gitea $version could not be fetched: $found" >&2
    return 1
  }
  member() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$found" "$1"; }
  if [ "$(member Sum)" != "$hash" ]; then
    echo "error: what was fetched as Gitea $version is not what $wanted locks" >&2
    return 1
  fi
  rm -rf "$directory"
  mkdir -p "$directory"
  cp -r "$(member Dir)" "$directory/source"
  chmod -R u+w "$directory/source"
  go -C "$directory/source" build -tags 'sqlite sqlite_unlock_notify' -o ../gitea . || {
    echo "error: Gitea $version could not be built: it needs the Go of its go.mod, and a C compiler" >&2
    return 1
  }
  cp "$wanted" "$directory/installed.lock"
}

# Puts the current OpenSSL that tests/e2e/openssl locks, by hash, into a Python of a build directory. Where there is
# none for this machine, its tests are skipped and say so.
ensure_modern_openssl() {
  local directory=$1/python-tls wanted=tests/e2e/openssl/requirements.txt
  cmp -s "$wanted" "$directory/installed.txt" && return 0
  python3 -c 'import ensurepip, venv' 2>/dev/null || ensure_packages python3-venv
  echo "installing a current OpenSSL into $directory"
  rm -rf "$directory"
  if python3 -m venv "$directory" &&
    "$directory/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --no-deps \
      --requirement "$wanted"; then
    cp "$wanted" "$directory/installed.txt"
  else
    echo "warning: it could not be installed: the tests with it are skipped" >&2
  fi
}
