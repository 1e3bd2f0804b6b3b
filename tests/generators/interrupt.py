"""Ctrl-C while Hexo's deployer waits for the purge, at a terminal and as a signal to Hexo alone: unstale hears it once, ends in order,
and Hexo waits for that. usage: interrupt.py COMMAND..., in Hexo's folder"""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

PAGE = Path("public/interrupted.html")


def at_a_terminal(command):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    return until_the_end(lambda: read(terminal), lambda: os.write(terminal, b"\x03"), lambda: os.waitpid(pid, 0)[1])


def by_a_signal(command):
    pipe, theirs = os.pipe()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return until_the_end(lambda: read(pipe), lambda: child.send_signal(signal.SIGINT), lambda: os.waitpid(child.pid, 0)[1])


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # A terminal that nobody has open any longer.
        return b""


def until_the_end(more, interrupt, wait):
    said, interrupted = b"", False
    while part := more():
        said += part
        if not interrupted and b"Purging" in said:
            interrupt()
            interrupted = True
    return os.waitstatus_to_exitcode(wait()), said.decode()


for number, way in enumerate([at_a_terminal, by_a_signal]):
    PAGE.write_text(f"<!doctype html><title>{number}</title>")
    status, said = way(sys.argv[1:])
    print(f"--- interrupted {way.__name__}\n{said}")
    assert status == 130, status
    assert "everything is live" in said and "unstale ended with exit status 130" in said
    assert subprocess.run(["unstale", "verify", "public", "--local"], stdout=subprocess.DEVNULL).returncode == 0
PAGE.unlink()
