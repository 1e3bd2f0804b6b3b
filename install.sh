#!/bin/sh
# Installs unstale's released binary, after its SHA-256 was checked. Needs no root.
#
#   curl -fsSL https://github.com/unstale/unstale/releases/latest/download/install.sh | sh
#   ... | sh -s -- 0.1.0 --to /usr/local/bin
#
# usage: install.sh [VERSION] [--to FOLDER]    (without VERSION the latest; without --to ~/.local/bin)
#
# INSTALL_UNSTALE_VERSION, INSTALL_UNSTALE_TO  the same as variables
# INSTALL_UNSTALE_FROM                         where releases are, instead of GitHub: a mirror's URL
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# All of it is a function called by the last line: a script that arrived in part does nothing.
main() {
  version=${INSTALL_UNSTALE_VERSION:-}
  to=${INSTALL_UNSTALE_TO:-}
  from=${INSTALL_UNSTALE_FROM:-https://github.com/unstale/unstale/releases}
  while [ $# -gt 0 ]; do
    case $1 in
      --to) [ $# -gt 1 ] || fail "--to needs a folder"; to=$2; shift ;;
      --to=*) to=${1#--to=} ;;
      -h | --help) say "usage: install.sh [VERSION] [--to FOLDER]"; exit ;;
      -*) fail "$1 is not known; usage: install.sh [VERSION] [--to FOLDER]" ;;
      *) version=$1 ;;
    esac
    shift
  done
  [ -n "$to" ] || to=${HOME:?is not set: say --to FOLDER}/.local/bin
  # What a shell does not expand in `--to=~/bin`.
  # shellcheck disable=SC2088
  case $to in '~/'*) to=${HOME:?is not set: say --to FOLDER}/${to#??} ;; esac
  version=${version#v}

  target=$(target)
  has tar || fail "tar is needed"
  digest_of /dev/null >/dev/null

  work=$(mktemp -d) || fail "no temporary folder can be made: set TMPDIR to a folder with room"
  new=
  trap 'rm -rf "$work" ${new:+"$new"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  # The list of checksums names the release's files, and so the latest version.
  if [ -n "$version" ]; then sums=$from/download/v$version/SHA256SUMS; else sums=$from/latest/download/SHA256SUMS; fi
  fetch "$sums" "$work/SHA256SUMS"
  line=$(grep "^[0-9a-f]\{64\}  unstale-${version:-[0-9].*}-$target\.tar\.gz\$" "$work/SHA256SUMS") ||
    fail "$sums has no unstale-${version:-VERSION}-$target.tar.gz"
  expected=${line%% *}
  archive=${line##* }
  version=${archive#unstale-}
  version=${version%-"$target".tar.gz}

  fetch "$from/download/v$version/$archive" "$work/$archive"
  found=$(digest_of "$work/$archive")
  [ "$found" = "$expected" ] ||
    fail "$archive is not what was released: its SHA-256 is $found, SHA256SUMS says $expected; nothing was installed"
  tar -xzf "$work/$archive" -C "$work" "unstale-$version-$target/unstale" ||
    fail "$archive cannot be unpacked in $work: is the disk full?"

  # Under another name first, and run once, so that what has the name is never half a binary nor one that does not run here.
  mkdir -p "$to" || fail "$to cannot be made: --to says another folder"
  to=$(CDPATH='' cd -- "$to" && pwd) || fail "$to cannot be entered: --to says another folder"
  [ ! -d "$to/unstale" ] || fail "$to/unstale is a folder: --to says another one"
  new=$to/.unstale-new.$$
  cp "$work/unstale-$version-$target/unstale" "$new" ||
    fail "$to cannot be written: is the disk full, or is it somebody else's? --to says another folder"
  chmod 755 "$new"
  told=$("$new" --version) || fail "the binary does not run here; nothing was installed"
  mv -f "$new" "$to/unstale" || fail "$to/unstale cannot be replaced"
  new=
  say "Installed $told as $to/unstale"

  case :${PATH:-}: in
    *:"$to":* | *:"$to/":*)
      first=$(command -v unstale || true)
      case $first in "$to/unstale" | "$to//unstale") ;; *) say "Another one comes first on PATH: $first" ;; esac
      ;;
    *)
      say "$to is not on PATH. Add it, in your shell's start-up file too:"
      say "  export PATH=\"$to:\$PATH\""
      ;;
  esac
}

# The target triple of this machine, as releases name it.
target() {
  system=$(uname -s)
  machine=$(uname -m)
  # A shell that Rosetta translates says x86_64 on an Apple processor.
  if [ "$system" = Darwin ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null || true)" = 1 ]; then machine=arm64; fi
  case $machine in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) system="$system on $machine" ;;
  esac
  case $system in
    Linux) say "$machine-unknown-linux-musl" ;;
    Darwin) say "$machine-apple-darwin" ;;
    MINGW* | MSYS* | CYGWIN*) fail "on Windows: irm https://github.com/unstale/unstale/releases/latest/download/install.ps1 | iex" ;;
    *) fail "there is no release for $system; with Rust: cargo install --locked --git https://github.com/unstale/unstale" ;;
  esac
}

# fetch URL FILE
fetch() {
  # What https leads to stays https.
  case $1 in https:*) only='=https' ;; *) only='=http,https' ;; esac
  ended=0
  if has curl; then
    curl --proto "$only" --fail --silent --show-error --location --retry 3 --connect-timeout 20 --output "$2" "$1" || ended=$?
    case $ended in
      0) return ;;
      22) problem=missing ;;
      23) problem=disk ;;
      *) problem=network ;;
    esac
  elif has wget; then
    # BusyBox's ends with 1 whatever was wrong: what it wrote has told already.
    wget -q -O "$2" "$1" || ended=$?
    case $ended in
      0) return ;;
      8) problem=missing ;;
      3) problem=disk ;;
      *) problem=network ;;
    esac
  else
    fail "curl or wget is needed"
  fi
  case $problem in
    missing) fail "there is no $1: is it a version that was released?" ;;
    disk) fail "$1 cannot be kept in $(dirname "$2"): is the disk full?" ;;
    *) fail "$1 cannot be had: is there a network, and does a proxy have to be set (https_proxy)?" ;;
  esac
}

# digest_of FILE: its SHA-256.
digest_of() {
  if has sha256sum; then
    digest=$(sha256sum <"$1")
  elif has shasum; then
    digest=$(shasum -a 256 <"$1")
  elif has openssl; then
    digest=$(openssl dgst -sha256 -r <"$1")
  else
    fail "sha256sum, shasum or openssl is needed"
  fi
  say "${digest%% *}"
}

main "$@"
