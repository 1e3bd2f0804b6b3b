# What the scripts share; to be sourced. Needs bash and python3 with venv.
#
# UNSTALE        the binary; without it the release binary of this checkout, built where it is missing
# UNSTALE_SITES  a folder of SITE/v1, v2, ...; without it fixtures/
# UNSTALE_VENV   where moto and the aws command line are installed; without it target/venv

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sites=${UNSTALE_SITES:-$root/fixtures}
venv=${UNSTALE_VENV:-$root/target/venv}
work=$(mktemp -d)
servers=()

# No profile and no keys of whoever runs this, and no cache of theirs.
while read -r name; do unset "$name"; done < <(compgen -v | grep '^AWS_' || true)
while read -r name; do unset "$name"; done < <(compgen -v | grep '^UNSTALE_' || true)
unset http_proxy HTTP_PROXY
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=$work/no-config AWS_SHARED_CREDENTIALS_FILE=$work/no-credentials
export XDG_CACHE_HOME=$work/cache NO_COLOR=1 NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

finish() {
  local status=$?
  local pid
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

need_binary() {
  [ -n "${UNSTALE:-}" ] || {
    (cd "$root" && cargo build --release --locked)
    UNSTALE=${CARGO_TARGET_DIR:-$root/target}/release/unstale
  }
  "$UNSTALE" --version
}

# Once for each content of requirements.txt.
need_venv() {
  local stamp=$venv/installed
  if ! cmp -s "$root/tests/requirements.txt" "$stamp"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$root/tests/requirements.txt"
    cp "$root/tests/requirements.txt" "$stamp"
  fi
  export PATH=$venv/bin:$PATH
}

# await_line FILE PATTERN PID: the first match of a line that a server in the background writes.
await_line() {
  local found
  for _ in $(seq 300); do
    found=$(grep -oE "$2" "$1" 2>/dev/null | head -n 1 || true)
    [ -z "$found" ] || { echo "$found"; return; }
    kill -0 "$3" 2>/dev/null || break
    sleep 0.2
  done
  cat "$1" >&2
  fail "no server came up"
}

# Sets endpoint to moto's S3 and CloudFront.
start_moto() {
  moto_server -H 127.0.0.1 -p 0 >"$work/moto.log" 2>&1 &
  servers+=($!)
  endpoint=$(await_line "$work/moto.log" 'http://127\.0\.0\.1:[0-9]+' $!)
}

# Sets endpoint to the S3 and CloudFront of `--local`, kept in $work/world.
start_local() {
  mkdir -p "$work/seed"
  echo '<p>seed' >"$work/seed/index.html"
  "$UNSTALE" preview "$work/seed" "--local=$work/world" --bucket seed --port 0 >"$work/local.log" 2>&1 &
  servers+=($!)
  await_line "$work/local.log" 'Serving http://127\.0\.0\.1:[0-9]+' $! >/dev/null
  endpoint=http://127.0.0.1:$(cat "$work/world/port")
}
