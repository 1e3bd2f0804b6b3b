// Loads the page again when the edge has something new. The number in this script's address is that of the page.
{
  const address = new URL(document.currentScript.src);
  let source;
  const listen = () => {
    source?.close();
    source = undefined;
    // A browser has six connections to a server: a page that nobody sees gives its own back.
    if (document.hidden) return;
    source = new EventSource(new URL("events?reload", address));
    source.addEventListener("reload", ({ data }) => {
      if (data === address.search.slice(1)) return;
      source.close();
      location.reload();
    });
  };
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => source?.close());
  // Back from the history, as it was left.
  addEventListener("pageshow", (event) => event.persisted && listen());
  listen();
}
