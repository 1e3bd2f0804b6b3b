class Unstale < Formula
  desc "Deploys a built static site to S3 and purges from CloudFront exactly what changed"
  homepage "https://github.com/unstale/unstale"
  version "1.2.3"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "https://github.com/unstale/unstale/releases/download/v1.2.3/unstale-1.2.3-aarch64-apple-darwin.tar.gz"
      sha256 "602526fe5d0720f8fb8f60272c924a754eb90c461381908e5d8a5f04f6e504c0"
    end
    on_intel do
      url "https://github.com/unstale/unstale/releases/download/v1.2.3/unstale-1.2.3-x86_64-apple-darwin.tar.gz"
      sha256 "838636fb51c7c295f53ac0becfa66f4e7726c388af3fc9397e57c97f5f97c840"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/unstale/unstale/releases/download/v1.2.3/unstale-1.2.3-aarch64-unknown-linux-musl.tar.gz"
      sha256 "38990144ad7c86a796fa7844440da54dbc1ca481e48f87796209d8a9f5d26611"
    end
    on_intel do
      url "https://github.com/unstale/unstale/releases/download/v1.2.3/unstale-1.2.3-x86_64-unknown-linux-musl.tar.gz"
      sha256 "11a7f97d7c53e609ba9fb10d25657f4474d2bfc81353533ddaec0ab2ca688e9c"
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
