# install.sh, with what `archive` has made and releases made up beside it, served by this machine. To be sourced by run.

[ -d "${dist:-}" ] || source "$here/archive.sh"
home=$work/home releases=$work/releases
need curl curl
need wget wget

# The binary at hand as the latest release; earlier ones, whose binaries are scripts.
mkdir -p "$releases/latest/download" "$releases/download"
cp -R "$dist" "$releases/download/v$version"
cp "$dist/SHA256SUMS" "$releases/latest/download"
# made_up VERSION SCRIPT
made_up() {
  local target
  mkdir -p "$releases/download/v$1"
  for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-apple-darwin x86_64-apple-darwin; do
    mkdir -p "$work/made/unstale-$1-$target"
    printf '#!/bin/sh\n%s\n# %s %s\n' "$2" "$1" "$target" >"$work/made/unstale-$1-$target/unstale"
    chmod +x "$work/made/unstale-$1-$target/unstale"
    tar -czf "$releases/download/v$1/unstale-$1-$target.tar.gz" -C "$work/made" "unstale-$1-$target"
  done
  (cd "$releases/download/v$1" && sha256sum ./*.tar.gz | sed 's|\./||' >SHA256SUMS)
}
made_up 0.0.9 'echo unstale 0.0.9'
made_up 0.0.8 'echo unstale 0.0.8'
for archive in "$releases"/download/v0.0.8/*.tar.gz; do echo more >>"$archive"; done
made_up 0.0.7 'exit 127'
# 400 kB that are packed into some 20.
ballast=$(head -c 15000 /dev/urandom | base64 -w 0)
made_up 0.0.4 "exit
$(for _ in $(seq 20); do echo "# $ballast"; done)"
made_up 0.0.6 'echo unstale 0.0.6'
rm "$releases"/download/v0.0.6/*.tar.gz

python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$releases" >"$work/releases.log" 2>&1 &
servers+=($!)
url=http://127.0.0.1:$(await_line "$work/releases.log" 'port [0-9]+' $! | cut -d ' ' -f 2)

# tools FOLDER NAME...: a PATH with the named and what any machine has.
tools() {
  local folder=$1 name
  shift
  mkdir -p "$folder"
  for name in sh uname tar gzip mktemp mkdir chmod cp mv rm grep cat dirname "$@"; do ln -sf "$(command -v "$name")" "$folder/$name"; done
}
# install ARGUMENT...: by this PATH, in an environment that has nothing else; VARIABLE=VALUE come first.
path=$work/tools
install() {
  local variables=()
  while [[ ${1:-} == *=* ]]; do variables+=("$1"); shift; done
  env -i PATH="$path" HOME="$home" TMPDIR="$work/temporary" INSTALL_UNSTALE_FROM="$url" "${variables[@]}" sh "$root/install.sh" "$@"
}
left_alone() {
  [ -z "$(ls -A "$work/temporary")" ] || fail "$1 leaves files in TMPDIR: $(ls -A "$work/temporary")"
  diff <(echo "${2-unstale}") <(ls -A "$home/.local/bin") || fail "$1 leaves files beside the binary"
}
mkdir -p "$work/temporary"

# Whatever a machine has to download and to digest with.
for pair in curl:sha256sum wget:shasum curl:openssl; do
  path=$work/tools-${pair/:/-}
  tools "$path" "${pair%:*}" "${pair#*:}"
  # shasum is a script of perl's.
  [ "${pair#*:}" != shasum ] || ln -s "$(command -v perl)" "$path/perl"
  rm -rf "$home"
  expect 0 "Installed unstale $version as $home/.local/bin/unstale" install
  expect 0 "export PATH=\"$home/.local/bin:\$PATH\"" install
  cmp "$UNSTALE" "$home/.local/bin/unstale"
  [ "$(stat -c %a "$home/.local/bin/unstale")" = 755 ]
  left_alone "$pair"
done
path=$work/tools
tools "$path" sha256sum
expect 1 'curl or wget is needed' install
tools "$path" curl
rm "$path/sha256sum"
expect 1 'sha256sum, shasum or openssl is needed' install
tools "$path" sha256sum

# A version by argument or variable, a folder, and what is said of PATH.
expect 0 'Installed unstale 0.0.9' install 0.0.9
expect 0 'Installed unstale 0.0.9' install v0.0.9
expect 0 'Installed unstale 0.0.9' install INSTALL_UNSTALE_VERSION=0.0.9
expect 0 "as $work/elsewhere/unstale" install 0.0.9 --to "$work/elsewhere"
(cd "$work" && expect 0 "as $work/elsewhere/unstale" install 0.0.9 --to elsewhere)
expect 0 "as $home/bin/unstale" install 0.0.9 '--to=~/bin'
expect 0 "as $work/by variable/unstale" install INSTALL_UNSTALE_TO="$work/by variable" 0.0.9
expect 0 Installed install PATH="$path:$work/elsewhere" 0.0.9 --to "$work/elsewhere"
[ "$(wc -l <<<"$output")" = 1 ] || fail "it says more than it has to: $output"
expect 0 Installed install PATH="$path:$work/elsewhere/" 0.0.9 --to "$work/elsewhere"
[ "$(wc -l <<<"$output")" = 1 ] || fail "a slash at the end of a folder on PATH: $output"
mkdir -p "$work/taken/unstale"
expect 1 "$work/taken/unstale is a folder" install 0.0.9 --to "$work/taken"
expect 0 "Another one comes first on PATH: $work/elsewhere/unstale" install PATH="$path:$work/elsewhere:$home/.local/bin" 0.0.9
expect 1 '--to needs a folder' install --to
expect 1 '--now is not known' install --now
left_alone 'a version'

# Each failure says what it is, leaves what was there and nothing else.
before=$(sha256sum <"$home/.local/bin/unstale")
fails() {
  expect 1 "$@"
  [ "$(sha256sum <"$home/.local/bin/unstale")" = "$before" ] || fail "'$1' replaced the binary"
  left_alone "$1"
}
fails 'is not what was released: its SHA-256 is' install 0.0.8
fails 'the binary does not run here' install 0.0.7
fails "there is no $url/download/v0.0.6/unstale-0.0.6-" install 0.0.6
fails "there is no $url/download/v0.0.5/SHA256SUMS: is it a version that was released?" install 0.0.5
# Port 1 of this machine, where nobody listens.
fails 'is there a network' install INSTALL_UNSTALE_FROM=http://127.0.0.1:1
tools "$work/tools-wget" wget sha256sum
fails 'is there a network' install PATH="$work/tools-wget" INSTALL_UNSTALE_FROM=http://127.0.0.1:1
fails 'is it a version that was released?' install PATH="$work/tools-wget" 0.0.5
# A limit on the size of files is a full disk: in the download, and in what is unpacked. Where the binary goes it is a `cp` that fails.
limited() { (trap '' XFSZ; ulimit -f "$1"; shift; install "$@"); }
fails 'cannot be kept in' limited 8 0.0.4
fails 'cannot be kept in' limited 8 PATH="$work/tools-wget" 0.0.4
fails 'cannot be unpacked' limited 100 0.0.4
mkdir "$work/tools-full"
printf '#!/bin/sh\nhead -c 1000 "$1" >"$2"\necho "cp: no space left on device" >&2\nexit 1\n' >"$work/tools-full/cp"
chmod +x "$work/tools-full/cp"
tools "$work/tools-head" head
fails 'cannot be written: is the disk full' install PATH="$work/tools-full:$path:$work/tools-head"
if [ "$(id -u)" != 0 ]; then
  mkdir -m 555 "$work/read-only"
  fails 'cannot be written' install --to "$work/read-only"
fi

# Other machines, as `uname` says them.
machine() {
  mkdir -p "$work/uname"
  printf '#!/bin/sh\n[ "$1" = -s ] && echo "%s" || echo "%s"\n' "$1" "$2" >"$work/uname/uname"
  printf '#!/bin/sh\necho "%s"\n' "${3:-0}" >"$work/uname/sysctl"
  chmod +x "$work"/uname/*
}
platform() { install PATH="$work/uname:$path" 0.0.9 --to "$work/other"; }
while read -r system processor apple target; do
  machine "$system" "$processor" "$apple"
  expect 0 Installed platform
  grep -q "^# 0.0.9 $target\$" "$work/other/unstale" || fail "$system on $processor is not $target"
done <<'MACHINES'
Linux x86_64 0 x86_64-unknown-linux-musl
Linux aarch64 0 aarch64-unknown-linux-musl
Darwin arm64 1 aarch64-apple-darwin
Darwin x86_64 1 aarch64-apple-darwin
Darwin x86_64 0 x86_64-apple-darwin
MACHINES
machine FreeBSD amd64
fails 'there is no release for FreeBSD' platform
machine Linux riscv64
fails 'there is no release for Linux on riscv64' platform
machine MINGW64_NT-10.0 x86_64
fails 'install.ps1' platform

# A script that arrived in part does nothing, wherever it was cut.
script=$(cat "$root/install.sh")
mkdir "$work/cut"
for length in $(seq 100 250 $((${#script} - 9))); do
  (cd "$work/cut" && head -c "$length" "$root/install.sh" | env -i PATH="$path" HOME="$work/cut" INSTALL_UNSTALE_FROM="$url" sh >/dev/null 2>&1) || true
done
[ -z "$(ls -A "$work/cut")" ] || fail "a part of install.sh wrote $(ls -A "$work/cut")"

# Ended while it waits for a server that never answers.
python3 -uc 'import socket; s = socket.create_server(("127.0.0.1", 0)); print("port", s.getsockname()[1]); held = s.accept(); s.accept()' >"$work/silent.log" &
servers+=($!)
silent=http://127.0.0.1:$(await_line "$work/silent.log" 'port [0-9]+' $! | cut -d ' ' -f 2)
stopped() { timeout -s TERM 1 env -i PATH="$path" HOME="$home" TMPDIR="$work/temporary" INSTALL_UNSTALE_FROM="$silent" sh "$root/install.sh"; }
expect 124 '' stopped
for _ in $(seq 50); do [ -n "$(ls -A "$work/temporary")" ] || break; sleep 0.1; done
left_alone 'a script that was stopped'

# The action's own installation, by the scripts that are in action.yml: once; what is cached is taken as it is.
python3 - "$root/action.yml" "$work" <<'PYTHON'
import sys, yaml
steps = yaml.safe_load(open(sys.argv[1]))["runs"]["steps"]
folder = next(step for step in steps if step.get("id") == "folder")
(install,) = [step for step in steps if "install.sh" in step.get("run", "")]
for name, step in (("folder", folder), ("install", install)):
    assert step["shell"] == "bash"
    open(f"{sys.argv[2]}/action-{name}", "w").write(step["run"])
PYTHON
step() {
  : >"$work/outputs"
  env -i PATH="$path:$(dirname "$(command -v bash)")" HOME="$home" INSTALL_UNSTALE_FROM="$url" GITHUB_ACTION_PATH="$root" GITHUB_PATH="$work/github-path" \
    GITHUB_OUTPUT="$work/outputs" RUNNER_TOOL_CACHE="$work/tool-cache" RUNNER_OS=Linux RUNNER_ARCH=X64 VERSION="${2:-$version}" \
    FOLDER="$work/tool-cache/unstale/$version/X64" bash --noprofile --norc -eo pipefail "$work/action-$1"
}
expect 0 '' step folder
grep -qx "folder=$work/tool-cache/unstale/$version/X64" "$work/outputs"
expect 0 "Installed unstale $version" step install
expect 0 '' step install
[ -z "$output" ] || fail "the action installs what it has: $output"
[ "$(sort -u "$work/github-path")" = "$work/tool-cache/unstale/$version/X64" ]
