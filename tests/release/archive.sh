# Archives, their checksums and the formula. To be sourced by run.

dist=$work/dist
# The binary itself for the machine at hand and for Windows; a script that runs it stands in elsewhere, since packing it takes seconds.
printf '#!/bin/sh\nexec "%s" "$@"\n' "$UNSTALE" >"$work/stand-in"
chmod +x "$work/stand-in"
while read -r target ending; do
  case $target in "$(uname -m)"-unknown-linux-musl | *windows*) binary=$UNSTALE ;; *) binary=$work/stand-in ;; esac
  python3 "$root/release/archive.py" "$binary" "$target" "$dist" >/dev/null
done <"$root/release/targets"

# The same bytes once more, whatever the time.
touch "$work/stand-in"
for target in aarch64-apple-darwin x86_64-apple-darwin; do
  python3 "$root/release/archive.py" "$work/stand-in" "$target" "$work/again" >/dev/null
  cmp "$dist/unstale-$version-$target.tar.gz" "$work/again/unstale-$version-$target.tar.gz"
done

# What is in them, and that it says the same of itself.
contents() { LC_ALL=C sort | sed "s/$version/VERSION/g" | grep -v '/man/unstale-'; }
tar -tzf "$dist/unstale-$version-x86_64-unknown-linux-musl.tar.gz" | contents >"$work/tar"
diff "$here/contents" "$work/tar"
python3 -m zipfile -l "$dist/unstale-$version-x86_64-pc-windows-msvc.zip" | sed '1d; s/ .*//' | contents >"$work/zip"
diff <(sed 's/linux-musl/WHERE/; s/x86_64-unknown-WHERE/x86_64-pc-windows-msvc/; s|/unstale$|/unstale.exe|' "$here/contents") "$work/zip"
mkdir "$work/unpacked"
tar -xzf "$dist/unstale-$version-$(uname -m)-unknown-linux-musl.tar.gz" --strip-components=1 -C "$work/unpacked"
cmp "$UNSTALE" "$work/unpacked/unstale"
[ -x "$work/unpacked/unstale" ]
bash -n "$work/unpacked/completions/unstale.bash"
grep -q '^\.TH' "$work/unpacked/man/unstale.1" || fail "man/unstale.1 is no man page"

# A binary that cannot write its completions makes no archive.
printf '#!/bin/sh\n[ "$1" = --version ] && echo unstale %s\n' "$version" >"$work/without"
chmod +x "$work/without"
expect 1 'completions bash` failed with status 1' python3 "$root/release/archive.py" "$work/without" x86_64-unknown-linux-musl "$work/none"
[ ! -e "$work/none" ]

"$root/release/checksums" "$version" "$dist"
(cd "$dist" && sha256sum --check --quiet SHA256SUMS)
[ "$(wc -l <"$dist/SHA256SUMS")" = 7 ]
mkdir "$work/incomplete"
cp "$dist"/*linux* "$work/incomplete"
expect 1 darwin "$root/release/checksums" "$version" "$work/incomplete"

# The formula is compared with sums that are written out, so that it is read as people read it.
while read -r target ending; do
  printf '%s  unstale-1.2.3-%s.%s\n' "$(printf %s "$target" | sha256sum | cut -c -64)" "$target" "$ending"
done <"$root/release/targets" >"$work/sums"
python3 "$root/release/formula.py" 1.2.3 "$work/sums" | diff "$here/unstale.rb" -
expect 1 'no unstale-1.2.4-' python3 "$root/release/formula.py" 1.2.4 "$work/sums"

# The manifest tells `cargo binstall` the same names.
python3 - "$root/Cargo.toml" "$root/release/targets" "$version" <<'PYTHON'
import sys, tomllib
manifest, targets, version = sys.argv[1:]
package = tomllib.load(open(manifest, "rb"))["package"]
told = package["metadata"]["binstall"]
assert package["version"] == version, "the binary is of another version"
for target, ending in (line.split() for line in open(targets)):
    values = {"repo": package["repository"], "version": version, "target": target, "name": "unstale", "bin": "unstale"}
    values["archive-suffix"] = "." + ending
    values["binary-ext"] = ".exe" if ending == "zip" else ""
    here = told | told["overrides"].get(target, {})
    fill = lambda text: __import__("re").sub(r"\{ (\S+) \}", lambda match: values[match[1]], text)
    name = f"unstale-{version}-{target}"
    assert fill(here["pkg-url"]) == f"https://github.com/unstale/unstale/releases/download/v{version}/{name}.{ending}", fill(here["pkg-url"])
    assert fill(here["bin-dir"]) == f"{name}/unstale{values['binary-ext']}", fill(here["bin-dir"])
    assert here["pkg-fmt"] == {"tar.gz": "tgz"}.get(ending, ending)
PYTHON
