"""`unstale preview`: the site as a browser sees it."""

import pathlib

from browser import chromium, command, fits, new_page

site = pathlib.Path("public")
site.mkdir()
head = '<!doctype html><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
(site / "index.html").write_text(f"{head}<title>one</title><p>one")

with command("preview", site, "--port", "0") as lines, chromium() as browser, new_page(browser) as page:
    url = next(line.split()[1] for line in lines if line.startswith("Serving"))
    page.goto(url)
    assert page.inner_text("p") == "one"
    fits(page, "site")
