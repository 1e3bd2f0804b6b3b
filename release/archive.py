"""Makes a release's archive for one target: unstale-VERSION-TARGET.tar.gz, or .zip for Windows, with a folder of that name in it.

usage: release/archive.py BINARY TARGET FOLDER

In it are the binary, README, changelog and licences, an example of settings, and what the binary itself writes: completions for four
shells and man pages. So it has to run here. The same files make the same bytes.
"""

import gzip
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "deploy.example.toml"]
# What each shell finds completions under.
SHELLS = {"bash": "unstale.bash", "zsh": "_unstale", "fish": "unstale.fish", "powershell": "_unstale.ps1"}


def main(binary, target, folder):
    windows = "windows" in target
    version = run(binary, "--version").decode().split()[1]
    name = f"unstale-{version}-{target}"
    files = {("unstale.exe" if windows else "unstale"): pathlib.Path(binary).read_bytes()}
    files |= {document: (ROOT / document).read_bytes() for document in DOCUMENTS}
    for shell, file in SHELLS.items():
        files[f"completions/{file}"] = run(binary, "completions", shell)
    with tempfile.TemporaryDirectory() as pages:
        run(binary, "man", pages)
        files |= {f"man/{page.name}": page.read_bytes() for page in pathlib.Path(pages).iterdir()}
    for file in ["completions/" + SHELLS["bash"], "man/unstale.1"]:
        if not files.get(file):
            sys.exit(f"error: {binary} wrote no {file}")
    path = pathlib.Path(folder) / (name + (".zip" if windows else ".tar.gz"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((zip_of if windows else tar_of)(name, files))
    print(path)


def run(binary, *arguments):
    ended = subprocess.run([binary, *arguments], stdout=subprocess.PIPE)
    if ended.returncode:
        sys.exit(f"error: `{' '.join([str(binary), *arguments])}` failed with status {ended.returncode}")
    return ended.stdout


def mode(file):
    return 0o755 if file in ("unstale", "unstale.exe") else 0o644


def tar_of(name, files):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for file, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size, entry.mode = len(content), mode(file)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def zip_of(name, files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{name}/{file}")
            entry.external_attr, entry.compress_type = mode(file) << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
