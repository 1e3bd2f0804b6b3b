#!/usr/bin/env python3
"""Draws docs/deploy.svg: a terminal of 80 columns in which a blog with one post more is deployed.

usage: UNSTALE=BINARY docs/picture.py [FILE]    (needs pyte and rich)
"""

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, LINES = 80, 40
STYLES = {"default": "", "brown": "yellow"}


def shown(command, folder, env):
    """Runs a command on a terminal and returns what stands there at its end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, env)
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        stream.feed(data)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit("error: %s ended with %d:\n%s" % (" ".join(command), os.waitstatus_to_exitcode(status), "\n".join(screen.display)))
    return [line(screen.buffer[row]) for row in range(LINES)]


def line(cells):
    text = Text()
    for column in range(COLUMNS):
        cell = cells[column]
        color = STYLES.get(cell.fg, cell.fg)
        text.append(cell.data, style=" ".join(filter(None, ["bold" if cell.bold else "", color])))
    text.rstrip()
    return text


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs/deploy.svg")
    unstale = os.path.abspath(os.environ["UNSTALE"])
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "xterm-256color", "UNSTALE_LOCAL": ".unstale-local"}
        site = Path(folder, "public")
        shutil.copytree(ROOT / "fixtures/vite/v1", site)
        Path(folder, "deploy.toml").write_text('dir = "public"\nbucket = "my-site"\n')
        subprocess.run([unstale, "deploy", "--quiet"], cwd=folder, env=env, check=True)
        shutil.rmtree(site)
        shutil.copytree(ROOT / "fixtures/vite/v2", site)
        lines = []
        for command in (["plan"], ["deploy"]):
            lines.append(Text("$ unstale " + " ".join(command), style="bold"))
            lines.extend(shown([unstale, *command], folder, env))
            while not lines[-1].plain:
                lines.pop()
            lines.append(Text())
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))
    for text in lines[:-1]:
        console.print(text, no_wrap=True, crop=True)
    # Without fonts that would be asked for over the network.
    picture = console.export_svg(title="unstale", unique_id="unstale")
    begin, end = picture.index("@font-face"), picture.rindex("@font-face")
    end = picture.index("}", end) + 1
    target.write_text(picture[:begin] + picture[end:].lstrip())


main()
