"""The page of a plan, and of a deploy, in headless Chromium: light, dark and at a phone's width, by pointer and by keyboard.

usage: UNSTALE=target/release/unstale python3 tests/pages/plan.py [FOLDER FOR PICTURES]

Needs PyPI's playwright, and Chromium at $CHROMIUM or /usr/bin/chromium.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from playwright.sync_api import sync_playwright

UNSTALE = os.environ["UNSTALE"]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HOSTILE = "posts/</script><img src=x onerror=document.title='run'>.html"
WIDTHS = [("light", 1100), ("dark", 1100), ("light", 360), ("dark", 360)]


def unstale(work, *words):
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "XDG_CACHE_HOME": str(work / "cache")}
    ran = subprocess.run([UNSTALE, *words, "--local"], cwd=work, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran


def write(work, path, text):
    path = work / "site" / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def pages(work):
    """Writes the page of a plan whose purge takes some URLs needlessly, and that of its deploy."""
    for number in range(120):
        write(work, f"posts/2026/a-post-with-a-title-{number}/index.html", f"<h1>{number}</h1>")
    for name in ["index.html", "about.html", "old.html", "style.css"]:
        write(work, name, name)
    unstale(work, "deploy", "site")
    # The first purges everything, the second some, since a wildcard is cheaper than that many paths.
    for number in range(100):
        write(work, f"posts/2026/a-post-with-a-title-{number}/index.html", f"<h1>{number}</h1>new")
    write(work, HOSTILE, "x")
    write(work, "a" * 200 + ".html", "long")
    write(work, "index.html", "new")
    (work / "site/old.html").unlink()
    unstale(work, "plan", "site", "--free-paths", "6", "--html", "plan.html")
    unstale(work, "deploy", "site", "--free-paths", "6", "--report", "report.html")
    return work / "plan.html", work / "report.html"


def opened(browser, path, scheme, width):
    """Opens a page that makes no request, logs nothing and is no wider than the window."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 500)
    page = context.new_page()
    faults = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: request.url.startswith("file:") or faults.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    return page, faults


def sound(page, faults):
    assert faults == [], faults
    wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window, (wide, window)
    # Nothing reaches over its parts either, but what scrolls by itself.
    over = page.evaluate("[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 90))")
    assert over == [], over
    assert page.title() != "run" and page.locator("img").count() == 0


def lit(page, side):
    return page.locator(".panes > div").nth(side).locator(".lit")


def folds(page):
    """Folders fold by the keyboard; the filter and the toggles leave out what was not asked for."""
    page.get_by_role("button", name="Fold all", exact=True).click()
    summary = page.locator("summary").first
    assert not page.locator("details").first.evaluate("e => e.open")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("e => e.open")
    page.keyboard.press("Space")
    assert not page.locator("details").first.evaluate("e => e.open")
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator(".tree .file").count() == 104, page.locator(".tree .file").count()
    page.get_by_label("Filter").fill("title-7/")
    assert page.locator(".tree .file").count() == 1
    page.get_by_label("Filter").fill("")
    page.get_by_role("button", name="content").click()
    assert page.locator(".tree .file").count() == 3
    page.get_by_role("button", name="content").click()
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator(".tree .name").filter(has_text="</script><img").is_visible()


def lights(page):
    """A path lights its URLs and a URL its path, by pointer and by keyboard."""
    paths = page.get_by_role("listbox", name="Paths that are purged").first
    urls = page.get_by_role("listbox", name="URLs", exact=True).first
    wildcard = paths.get_by_role("option").filter(has_text="*").first
    wildcard.scroll_into_view_if_needed()
    wildcard.hover()
    number = lit(page, 1).count()
    assert number > 100, number
    needless = urls.locator(".needless")
    assert needless.count() > 0, "no URL is marked"
    assert lit(page, 1).first.evaluate("e => { const box = e.parentElement.getBoundingClientRect(), own = e.getBoundingClientRect(); return own.bottom > box.top && own.top < box.bottom; }")
    needless.first.hover()
    assert lit(page, 0).count() == 1 and "*" in lit(page, 0).inner_text()
    page.mouse.move(0, 0)
    assert page.locator(".lit").count() == 0
    exact = urls.get_by_role("option").first
    exact.focus()
    assert lit(page, 0).count() == 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert urls.get_by_role("option").last.evaluate("e => e === document.activeElement")
    assert lit(page, 0).count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".lit, .on").count() == 0


def touches(page):
    page.get_by_role("listbox", name="URLs", exact=True).first.get_by_role("option").first.tap()
    assert lit(page, 0).count() == 1


def main():
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        pictures = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(folder)
        both = pages(pathlib.Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for path in both:
            for scheme, width in WIDTHS:
                page, faults = opened(browser, path, scheme, width)
                sound(page, faults)
                page.screenshot(path=pictures / f"{path.stem}-{scheme}-{width}.png", full_page=True)
                folds(page)
                if width < 500:
                    touches(page)
                else:
                    lights(page)
                page.screenshot(path=pictures / f"{path.stem}-{scheme}-{width}-lit.png")
                sound(page, faults)
                page.context.close()
                print(f"{path.name}, {scheme}, {width} px: sound")
            without = browser.new_context(java_script_enabled=False).new_page()
            without.goto(path.as_uri())
            assert without.locator("#tree table").is_visible() and without.locator(".map code").first.is_visible()
        browser.close()


main()
