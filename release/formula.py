"""Writes Homebrew's formula of a release from its SHA256SUMS.

usage: release/formula.py VERSION SHA256SUMS >Formula/unstale.rb
"""

import pathlib
import sys

FORMULA = '''\
class Unstale < Formula
  desc "Deploys a built static site to S3 and purges from CloudFront exactly what changed"
  homepage "https://github.com/unstale/unstale"
  version "{version}"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
{aarch64-apple-darwin}
    end
    on_intel do
{x86_64-apple-darwin}
    end
  end

  on_linux do
    on_arm do
{aarch64-unknown-linux-musl}
    end
    on_intel do
{x86_64-unknown-linux-musl}
    end
  end

  def install
    bin.install "unstale"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/unstale.bash" => "unstale"
    zsh_completion.install "completions/_unstale"
    fish_completion.install "completions/unstale.fish"
  end

  test do
    (testpath/"public/index.html").write "<p>hello"
    system bin/"unstale", "deploy", "public", "--local"
  end
end
'''


class Downloads(dict):
    """Finds what a target is downloaded from, by the name of its archive."""

    def __missing__(self, target):
        name = f"unstale-{self['version']}-{target}.tar.gz"
        if name not in self["sums"]:
            sys.exit(f"error: SHA256SUMS has no {name}")
        url = f"https://github.com/unstale/unstale/releases/download/v{self['version']}/{name}"
        return f'      url "{url}"\n      sha256 "{self["sums"][name]}"'


def main(version, path):
    lines = pathlib.Path(path).read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    sys.stdout.write(FORMULA.format_map(Downloads(version=version, sums=sums)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
