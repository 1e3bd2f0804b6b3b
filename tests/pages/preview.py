"""`unstale preview`: the site as a browser sees it, its edges as they live, and pages that load themselves again."""

import http.client
import pathlib
import subprocess
import threading

from browser import UNSTALE, chromium, command, fits, new_page

HEAD = '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>T</title>'
MARKUP = "<img/src=x/onerror=document.title='owned'>"

site = pathlib.Path("public")


def write(name, text):
    path = site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def serving(lines):
    """The site's URL and that of its edges; what is printed later is read and thrown away."""
    urls = []
    for line in lines:
        if line.startswith("Serving") or "Its edges:" in line:
            urls += [word for word in line.split() if word.startswith("http://")]
        if len(urls) == 2:
            break
    threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()
    return urls


def ask(url, method, path, body="", headers={}):
    connection = http.client.HTTPConnection(url.split("/")[2])
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status < 400, (path, answer.status, content)
    return content.decode()


def rows(page, edge="FRA56-P1"):
    """The state of every path that an edge's table shows, at one moment: the page draws its rows while they are read."""
    return page.evaluate("""(edge) => {
        const sections = [...document.querySelectorAll("#edges section")].filter((section) => section.textContent.startsWith(edge));
        const rows = sections.flatMap((section) => [...section.querySelectorAll("tbody tr")]);
        return Object.fromEntries(rows.map(({ cells: [state, path] }) => [path.textContent, state.textContent]));
    }""", edge)


def until(page, condition, what):
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(what)


def watch_a_purge(browser):
    with command("preview", site, "--port", "0") as lines, new_page(browser) as page:
        url, edges = serving(lines)
        page.goto(edges)
        page.get_by_text("Live").wait_for()
        log = page.locator("#log > li")
        with new_page(browser) as viewer:
            viewer.goto(url)
            log.filter(has_text="Miss200 /index.html").first.wait_for()
            viewer.reload()
            log.filter(has_text="Hit200 /index.html").first.wait_for()
            for name in ("a/", "b/"):
                viewer.goto(url + name)
        warm = {"/index.html": "fresh", "/a/index.html": "fresh", "/b/index.html": "fresh", "/style.css": "fresh"}
        until(page, lambda: rows(page) == warm, rows(page))
        assert page.get_by_role("region", name="FRA56-P1").get_by_role("row").count() == 1 + len(warm)

        write("a/index.html", HEAD + "<p>changed")
        subprocess.run([UNSTALE, "deploy", site, "--local", "--quiet"], check=True)
        cold = warm | {"/a/index.html": "cold"}
        until(page, lambda: rows(page) == cold, rows(page))
        took = page.locator("#invalidations details", has_text="took 1 entry from FRA56-P1")
        took.wait_for()
        assert took.locator("li").all_inner_texts() == ["/a/index.html"]
        fits(page, "edges")

        # What is cold is asked for again, by the keyboard.
        page.get_by_role("searchbox", name="Paths with").press_sequentially("/a/")
        until(page, lambda: list(rows(page)) == ["/a/index.html"], "the filter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "/a/index.html"
        with page.expect_popup() as opened:
            page.keyboard.press("Enter")
        assert opened.value.inner_text("p") == "changed"
        opened.value.close()
        until(page, lambda: rows(page) == {"/a/index.html": "fresh"}, "warm again")
        assert page.evaluate("document.activeElement.textContent") == "/a/index.html", "the focus stays"
        page.get_by_role("searchbox").fill("")

        # Nothing that anybody names is markup.
        endpoint = f"http://127.0.0.1:{pathlib.Path('.unstale-local/port').read_text()}"
        world, = {part.split("</Id>")[0] for part in ask(endpoint, "GET", "/2020-05-31/distribution").split("<Id>")[1:] if part.startswith("E")}
        item = "/" + MARKUP.replace("<", "&lt;")
        batch = f"<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>{item}</Path></Items></Paths><CallerReference>x</CallerReference></InvalidationBatch>"
        ask(endpoint, "POST", f"/2020-05-31/distribution/{world}/invalidation", batch)
        ask(endpoint, "PUT", "/site/odd", "odd", {"content-type": MARKUP})
        ask(url, "GET", "/odd")
        page.locator("#invalidations").get_by_text("/" + MARKUP).wait_for()
        page.locator("td.type").get_by_text(MARKUP).wait_for()
        assert page.title() == "Edges"
        assert page.locator("img").count() == 0

        many(page, url)


def many(page, url):
    """Thousands of entries neither freeze the page nor hide what is looked for."""
    address = url.split("/")[2]
    connection = http.client.HTTPConnection(address)
    for number in range(3000):
        connection.request("GET", f"/none/{number}" + "/long-name" * (number % 40))
        connection.getresponse().read()
    until(page, lambda: "holds 3,00" in page.inner_text(".facts"), "all entries")
    assert page.get_by_text("not shown: the filter finds them").is_visible()
    assert page.locator("tbody tr").count() == 200
    fits(page, "many")
    page.get_by_role("searchbox").fill("none/17")
    until(page, lambda: page.locator("tbody tr").count() == 111, "the filter")
    assert rows(page)["/none/1720"] in ("error", "stale")
    # A machine that is busy may halt a page once or twice; a page that halts itself does so each time.
    until(page, lambda: longest_halt(page) < 500, "no picture for half a second")


def longest_halt(page):
    """The longest time between two of the next 60 frames, in milliseconds."""
    return page.evaluate("""() => new Promise((done) => {
        let longest = 0, last = performance.now(), left = 60;
        const frame = (now) => { longest = Math.max(longest, now - last); last = now; left-- ? requestAnimationFrame(frame) : done(longest); };
        requestAnimationFrame(frame);
    })""")


def watch_a_build(browser):
    def page_of(text):
        write("index.html", f'{HEAD}<link rel="stylesheet" href="/style.css"><p>{text}</p></body>')

    page_of("one")
    with command("preview", site, "--port", "0", "--watch", "--local=watched") as lines, new_page(browser) as page:
        url, _ = serving(lines)
        loads = []
        page.on("load", lambda _: loads.append(page.url))
        page.goto(url)
        assert page.inner_text("p") == "one"
        page_of("two")
        page.get_by_text("two").wait_for()
        write("style.css", "p { color: rgb(1, 2, 3) }")
        page.wait_for_function("getComputedStyle(document.querySelector('p')).color === 'rgb(1, 2, 3)'")
        page.wait_for_timeout(1500)
        assert len(loads) == 3, loads


def watch_awkward_pages(browser):
    """Pages that hold on to what they were, or forbid what loads them again."""
    worker = "caches.open('v').then((cache) => cache.add('/kept/')); onfetch = (event) => event.respondWith(caches.match(event.request).then((kept) => kept ?? fetch(event.request)))"
    write("worker.js", worker)
    write("long.css", "p { color: rgb(1, 1, 1) }")
    write("long.html", HEAD + '<link rel="stylesheet" href="/long.css"><p>long')
    write("strict.html", HEAD + "<p>strict")
    write("frames.html", HEAD + '<iframe src="/strict.html"></iframe>' * 7)
    write("kept/index.html", HEAD + "<p>kept</p><script>navigator.serviceWorker.register('/worker.js', {scope: '/'})</script>")
    write("_headers", "/long.css\n  Cache-Control: max-age=3600\n/strict.html\n  Content-Security-Policy: default-src 'none'; img-src data:\n")
    pathlib.Path("deploy.toml").write_text('headers-policy = "own"\nredirect-function = "own"\n')
    with command("preview", site, "--port", "0", "--watch", "--local=awkward") as lines:
        url, _ = serving(lines)
        with new_page(browser) as page:
            page.goto(url + "long.html")
            write("long.css", "p { color: rgb(2, 2, 2) }")
            page.wait_for_function("getComputedStyle(document.querySelector('p')).color === 'rgb(2, 2, 2)'")
        with new_page(browser) as page:
            page.goto(url + "strict.html")
            write("strict.html", HEAD + "<p>changed")
            page.get_by_text("changed").wait_for()
        with new_page(browser) as page:
            page.goto(url + "frames.html", wait_until="load")
            page.evaluate("fetch('/')")
        page = browser.new_page()  # whose 404 is an error that the others may not have
        page.goto(url + "new.html")
        write("new.html", HEAD + "<p>new")
        page.get_by_text("new").wait_for(timeout=20_000)
        page.close()
        with new_page(browser) as page:
            page.goto(url + "kept/")
            page.wait_for_function("navigator.serviceWorker.ready.then(() => caches.match('/kept/'))")
            page.wait_for_timeout(500)
            loads = []
            page.on("load", lambda _: loads.append(page.url))
            write("kept/index.html", HEAD + "<p>other")
            until(page, lambda: loads, "a load")
            page.wait_for_timeout(2000)
            assert len(loads) <= 2, loads


write("index.html", HEAD + '<link rel="stylesheet" href="/style.css"><p>one')
for name in ("a", "b"):
    write(f"{name}/index.html", f"{HEAD}<p>{name}")
write("style.css", "p { color: red }")

with chromium() as browser:
    watch_a_purge(browser)
    watch_a_build(browser)
    watch_awkward_pages(browser)
