// Loads the page again when the edge has something new. The number in this script's address is that of the page.
// A frame goes with the page that it is in, and a page that a script swaps in with the one before it.
if (!window.frameElement && !window.unstaleReload) {
  window.unstaleReload = true;
  const address = new URL(document.currentScript.src);
  let source;

  const reload = async (number) => {
    // Once is enough: a service worker may hold on to the old page.
    const tried = `unstale ${location.pathname}`;
    if (sessionStorage.getItem(tried) === number) return;
    sessionStorage.setItem(tried, number);
    // A browser that loads a page again trusts what it keeps of its parts.
    const parts = performance.getEntriesByType("resource").filter((part) => /^(css|img|link|script)$/.test(part.initiatorType));
    const own = new Set(parts.map((part) => part.name).filter((name) => name.startsWith(`${location.origin}/`)));
    own.delete(address.href);
    const asked = { cache: "no-cache", signal: AbortSignal.timeout(2000) };
    await Promise.allSettled([...own].map((name) => fetch(name, asked).then((answer) => answer.arrayBuffer())));
    // Edges keep errors for ten seconds, even where a page is by now.
    const [{ responseStatus }] = performance.getEntriesByType("navigation");
    for (let left = responseStatus >= 400 ? 12 : 0; left > 0; left--) {
      const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
      if (!answer || answer.ok) break;
      await new Promise((done) => setTimeout(done, 1000));
    }
    location.reload();
  };

  const listen = () => {
    source?.close();
    source = undefined;
    // A browser has six connections to a server: a page that nobody sees gives its own back.
    if (document.hidden) return;
    source = new EventSource(new URL("events?reload", address));
    source.addEventListener("reload", ({ data }) => data === address.search.slice(1) || reload(data));
  };
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => source?.close());
  // Back from the history, as it was left.
  addEventListener("pageshow", (event) => event.persisted && listen());
  listen();
}
