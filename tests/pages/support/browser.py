"""A headless Chromium, and what every page of unstale's is held to: nothing goes wrong unseen, nothing is asked of other machines, and
it fits a phone, in light and dark."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import urllib.parse

from playwright.sync_api import sync_playwright

UNSTALE = os.environ["UNSTALE"]
PICTURES = pathlib.Path(os.environ["PICTURES"])
DESKTOP, PHONE = (1280, 900), (360, 740)
LOCAL = {"127.0.0.1", "localhost"}


@contextlib.contextmanager
def chromium():
    """A browser; in a container Chromium has no sandbox of its own."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def new_page(browser, size=DESKTOP):
    """A page of its own, which must have met no error by its end."""
    context = browser.new_context(viewport=dict(zip(("width", "height"), size)))
    page = context.new_page()
    mishaps = []
    page.on("pageerror", lambda error: mishaps.append(f"thrown: {error}"))
    page.on("console", lambda said: said.type in ("error", "warning") and mishaps.append(f"{said.type}: {said.text} {said.location}"))

    def look(request):
        url = urllib.parse.urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname not in LOCAL:
            mishaps.append(f"asked another machine: {request.url}")

    page.on("request", look)
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert not mishaps, mishaps


def fits(page, name):
    """Looks at a page in light and dark, wide and on a phone: nothing may stick out sideways. Keeps a picture of each as
    NAME-SCHEME-WIDTH.png."""
    before = page.viewport_size
    for width, height in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: {wide} pixels wide on a screen of {width}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)


@contextlib.contextmanager
def command(*arguments):
    """A command that runs in the background and is ended by Ctrl-C; gives the lines that it prints."""
    running = subprocess.Popen([UNSTALE, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield running.stdout
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0, running.returncode
    finally:
        running.kill()
