"use strict";
// Makes the tree of changes and the maps of the purges from the page's data. Texts become text nodes and never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  if (!data) return;

  const make = (tag, given, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const span = (kind, text) => make("span", { class: kind }, text);
  const number = (amount) => amount.toLocaleString("en-US");
  const counted = (amount, noun) => `${number(amount)} ${noun}${amount === 1 ? "" : "s"}`;
  const size = (bytes) => {
    if (bytes < 1000) return `${bytes} B`;
    const units = ["kB", "MB", "GB", "TB"];
    let [amount, unit] = [bytes / 1000, 0];
    while (amount >= 999.5 && unit < units.length - 1) {
      amount /= 1000;
      unit += 1;
    }
    return `${amount.toFixed(amount < 99.95 ? 1 : 0)} ${units[unit]}`;
  };
  const more = (text) => make("li", { class: "more" }, text);

  // The tree.

  /** As many rows are unfolded from the beginning, or by the filter. */
  const MAX_OPEN = 60;
  const MAX_FOUND = 500;

  const tree = (place, { reasons, actions, tree: root }) => {
    const isFolder = (node) => Array.isArray(node[1]);
    const rows = (node) => (isFolder(node) ? node[3].reduce((sum, entry) => sum + rows(entry), 1) : 1);

    const file = ([name, reason, bytes, action, why]) =>
      make(
        "li",
        { class: "file" },
        span(`reason ${reasons[reason]}`, reasons[reason]),
        " ",
        span("name", name || "/"),
        " ",
        span("why", why ?? actions[action]),
        " ",
        span("size", size(bytes)),
      );
    const folder = (node, depth) => {
      const [name, counts, bytes] = node;
      const told = counts.flatMap((amount, at) => (amount ? [`${number(amount)} ${reasons[at]}`] : []));
      const head = make("summary", {}, span("name", name), " ", span("why", told.join(", ")), " ", span("size", size(bytes)));
      const details = make("details", {}, head);
      const fill = () => {
        if (details.childElementCount === 1) details.append(entries(node, depth));
      };
      details.fill = fill;
      details.addEventListener("toggle", fill);
      if (depth > 0) {
        fill();
        details.open = true;
      }
      return make("li", { class: "folder" }, details);
    };
    const entries = ([, , , list, leftOut, bytes], depth) => {
      const items = list.map((node) => (isFolder(node) ? folder(node, depth - 1) : file(node)));
      if (leftOut) items.push(more(`and ${counted(leftOut, "more object")}, ${size(bytes)}`));
      return make("ul", {}, ...items);
    };
    /** What of a node passes; whole where nothing is asked for. */
    const passing = (node, above, wanted, off) => {
      const path = above + node[0];
      if (!isFolder(node)) return !off.has(node[1]) && path.toLowerCase().includes(wanted) ? node : null;
      const list = node[3].map((entry) => passing(entry, path, wanted, off)).filter(Boolean);
      return list.length || node[4] ? Object.assign([...node], { 3: list }) : null;
    };

    const off = new Set();
    const field = make("input", { type: "search", id: "filter", autocomplete: "off", spellcheck: "false" });
    const list = make("div", { class: "tree" });
    const told = make("p", { role: "status", class: "quiet" });
    const show = () => {
      const wanted = field.value.toLowerCase();
      const asked = wanted !== "" || off.size > 0;
      const part = asked ? passing(root, "", wanted, off) : root;
      const amount = part ? rows(part) : 0;
      const depth = amount <= (asked ? MAX_FOUND : MAX_OPEN) ? 1e6 : 1;
      list.replaceChildren(part ? entries(part, depth) : "");
      const files = (node) => (isFolder(node) ? node[3].reduce((sum, entry) => sum + files(entry), 0) : 1);
      told.textContent = asked ? `${counted(part ? files(part) : 0, "object")} of those listed` : "";
    };
    const toggles = root[1].flatMap((amount, at) => {
      if (!amount) return [];
      const button = make("button", { type: "button", "aria-pressed": "true", class: `reason ${reasons[at]}` }, `${reasons[at]} ${number(amount)}`);
      button.addEventListener("click", () => {
        if (!off.delete(at)) off.add(at);
        button.setAttribute("aria-pressed", String(!off.has(at)));
        show();
      });
      return [button];
    });
    const fold = (text, open) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        // Folders appear in those that are filled.
        for (const details of list.getElementsByTagName("details")) {
          if (open) details.fill();
          details.open = open;
        }
      });
      return button;
    };
    field.addEventListener("input", show);
    show();
    const filter = make("label", { for: "filter" }, "Filter ");
    const tools = make("div", { class: "tools" }, make("span", { class: "field" }, filter, field), ...toggles, fold("Unfold all", true), fold("Fold all", false));
    place.replaceChildren(tools, told, list);
  };

  // The maps: paths on one side, URLs on the other.

  const map = (place, { reasons, patterns, urls, out }) => {
    const paths = patterns.map(([text, changed, unchanged, of]) => ({ text, of, amount: changed + unchanged, takes: [] }));
    let before = "";
    const targets = urls.map(([same, rest, reason, by]) => {
      const text = before.slice(0, same) + rest;
      before = text;
      const target = { text, needless: reason < 0, by: [] };
      target.why = target.needless ? "needlessly" : reasons[reason];
      if (by === undefined) {
        by = paths.length;
        paths.push({ text, amount: 1, takes: [] });
      }
      if (by === -1) target.why += "; not purged";
      else target.by = [by].flat();
      return target;
    });
    targets.forEach((target, at) => target.by.forEach((path) => paths[path].takes.push(at)));

    const option = (row, ...children) => {
      row.item = make("li", { role: "option", tabindex: "-1", "aria-selected": "false" }, span("name", row.text), ...children);
      return row.item;
    };
    const pathItems = paths.map((path) => option(path, " ", span("why", (path.of ? `${path.of}: ` : "") + counted(path.amount, "URL"))));
    const urlItems = targets.map((target) => {
      const item = option(target, " ", span("why", target.why));
      if (target.needless) item.classList.add("needless");
      return item;
    });
    const pane = (title, rows, items, related) => {
      const list = make("ul", { role: "listbox", "aria-label": title }, ...items);
      return { title, rows, items, list, related };
    };
    const panes = [
      pane("Paths that are purged", paths, pathItems, (path) => path.takes),
      pane("URLs", targets, urlItems, (target) => target.by),
    ];
    // Of one height whatever it says: what moved under the pointer would light something else.
    const status = make("p", { role: "status", class: "quiet told" });
    const hint = "Point at a path, or go to it by the arrow keys, to see which URLs it takes; or at a URL, to see what takes it.";
    status.textContent = hint;

    let lit = [];
    const light = (from, at) => {
      lit.forEach((item) => {
        item.classList.remove("on", "lit");
        item.setAttribute("aria-selected", "false");
      });
      if (at === undefined) {
        lit = [];
        status.textContent = hint;
        return;
      }
      const [here, there] = [panes[from], panes[1 - from]];
      const row = here.rows[at];
      const related = here.related(row).map((index) => there.items[index]);
      row.item.classList.add("on");
      related.forEach((item) => item.classList.add("lit"));
      lit = [row.item, ...related];
      lit.forEach((item) => item.setAttribute("aria-selected", "true"));
      status.textContent = told(from, row, related.length);
      reveal(there.list, related);
    };
    const told = (from, row, listed) => {
      if (from === 1) {
        const names = row.by.map((at) => paths[at].text).join(", ");
        return `${row.text} is ${names ? `taken by ${names}: ` : ""}${row.needless ? "it did not change" : row.why}.`;
      }
      const needless = row.takes.filter((at) => targets[at].needless).length;
      const parts = [`${row.text} takes ${counted(row.amount, "URL")}`];
      if (needless) parts.push(`${number(needless)} of them needlessly`);
      if (listed < row.amount) parts.push(`${number(listed)} listed here`);
      return `${parts.join(", ")}.`;
    };
    /** Scrolls a list, and not the page, until one of these can be seen. */
    const reveal = (list, items) => {
      const [top, bottom] = [list.scrollTop, list.scrollTop + list.clientHeight];
      const seen = (item) => item.offsetTop >= top && item.offsetTop + item.offsetHeight <= bottom;
      if (items.length && !items.some(seen)) list.scrollTop = items[0].offsetTop - list.clientHeight / 3;
    };

    /** What stays lit when the pointer leaves. */
    let kept = [];
    panes.forEach(({ list, items }, from) => {
      items[0]?.setAttribute("tabindex", "0");
      const place = (event) => items.indexOf(event.target.closest("li"));
      list.addEventListener("pointerover", (event) => {
        const at = place(event);
        if (at >= 0) light(from, at);
      });
      list.addEventListener("pointerleave", () => light(...kept));
      list.addEventListener("focusin", (event) => {
        const at = place(event);
        if (at < 0) return;
        list.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
        items[at].setAttribute("tabindex", "0");
        kept = [from, at];
        light(from, at);
      });
      list.addEventListener("keydown", (event) => {
        const at = place(event);
        const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
        if (event.key === "Escape") {
          kept = [];
          light();
        } else if (items[to]) {
          event.preventDefault();
          items[to].focus();
        }
      });
    });
    const [alone, all] = out;
    const notes = [alone && `${counted(alone, "path")}`, all && `${counted(all, "URL")}`].filter(Boolean);
    const missing = notes.length ? [make("p", { class: "more" }, `and ${notes.join(" and ")} more`)] : [];
    const sides = panes.map(({ title, list, items }) => make("div", {}, make("h4", {}, `${title} `, span("why", number(items.length))), list));
    place.replaceChildren(status, make("div", { class: "panes" }, ...sides), ...missing);
  };

  const place = document.getElementById("tree");
  if (place) tree(place, data.changes);
  for (const element of document.querySelectorAll("[data-purge]")) map(element, data.purges[element.dataset.purge]);
})();
