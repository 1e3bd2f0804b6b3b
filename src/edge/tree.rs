//! The radix tree of all request paths, reduced to the nodes where a choice is to be made.

use super::cover::{Entry, Opaque};
use super::path::{self, Dialect};

/// A request path, or a mark that only weighs or only cuts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) text: &'a str,
    pub(super) weight: u64,
    pub(super) changed: bool,
    pub(super) exact: bool,
    /// Whether it is a request path rather than a mark.
    pub(super) counted: bool,
}

/// A place where either one wildcard takes all beneath, or its own paths and its children's choices do.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    text: &'a str,
    /// The wildcard's prefix is longer than `shortest` and at most `len` bytes of `text`.
    len: usize,
    shortest: usize,
    /// What a wildcard here takes needlessly.
    pub(super) needless: u64,
    /// Changed paths that end here and can be purged alone: a range of [`Tree::exact`].
    pub(super) own: (usize, usize),
    /// Something that ends here can be purged by a wildcard alone.
    pub(super) forced: bool,
    pub(super) children: usize,
    /// How many nodes the subtree has, itself among them.
    pub(super) size: usize,
}

/// Nodes in post-order: children before parents, the root last.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) exact: Vec<&'a str>,
}

#[derive(Default)]
struct Open<'a> {
    text: &'a str,
    len: usize,
    needless: u64,
    own: Vec<&'a str>,
    forced: bool,
    children: usize,
    size: usize,
}

/// The items in order: the entries, and the marks of regions and of what is shielded from them.
pub(super) fn items<'a>(universe: &[Entry<'a>], opaque: &'a [Opaque]) -> Vec<Item<'a>> {
    let mark = |text, weight| Item {
        text,
        weight,
        changed: false,
        exact: false,
        counted: false,
    };
    let paths = universe.iter().map(|entry| Item {
        text: entry.text,
        weight: entry.weight,
        changed: entry.changed,
        exact: entry.exact,
        counted: true,
    });
    let marks = opaque.iter().flat_map(|region| {
        let shields = region
            .shields
            .iter()
            .map(move |text| mark(text.as_str(), 0));
        shields.chain([mark(&region.prefix, region.weight)])
    });
    let mut all: Vec<Item<'a>> = paths.chain(marks).collect();
    all.sort_by(|a, b| a.text.cmp(b.text));
    all
}

impl<'a> Tree<'a> {
    /// Builds the tree of sorted items, in one pass and without recursion.
    pub(super) fn build(items: &[Item<'a>], opaque: &[Opaque], dialect: Dialect) -> Self {
        let mut tree = Self::default();
        let mut stack = vec![Open {
            len: 1,
            text: "/",
            ..Open::default()
        }];
        let mut last: (&str, usize) = ("/", 1);
        for item in items {
            let reach = path::reach(item.text, dialect).max(1);
            let alike = common(last.0, item.text, last.1.min(reach)).max(1);
            tree.close(&mut stack, alike, opaque);
            if stack.last().is_none_or(|top| top.len < reach) {
                stack.push(Open {
                    text: item.text,
                    len: reach,
                    ..Open::default()
                });
            }
            if let Some(top) = stack.last_mut() {
                top.add(item);
            }
            last = (item.text, reach);
        }
        tree.close(&mut stack, 1, opaque);
        if let Some(root) = stack.pop() {
            tree.emit(root, 0, opaque);
        }
        tree
    }

    /// Closes every open node that is longer than `len`, and sees that one of that length is open.
    fn close(&mut self, stack: &mut Vec<Open<'a>>, len: usize, opaque: &[Opaque]) {
        while stack.last().is_some_and(|top| top.len > len) {
            let Some(open) = stack.pop() else { return };
            if stack.last().is_none_or(|below| below.len < len) {
                stack.push(Open {
                    text: open.text,
                    len,
                    ..Open::default()
                });
            }
            let parent = stack.last().map_or(0, |below| below.len);
            let needless = open.needless;
            let (children, size) = self.emit(open, parent, opaque);
            if let Some(below) = stack.last_mut() {
                below.needless = below.needless.saturating_add(needless);
                below.children += children;
                below.size += size;
            }
        }
    }

    /// Writes a node, unless there is nothing to choose: nothing changed beneath it, or one child whose wildcard takes as much
    /// that changed and no more. How many children and nodes its parent gains.
    fn emit(&mut self, open: Open<'a>, parent: usize, opaque: &[Opaque]) -> (usize, usize) {
        let plain = open.own.is_empty() && !open.forced;
        if plain && open.children < 2 {
            return (open.children, open.size);
        }
        let prefix = open.text.get(..open.len).unwrap_or_default();
        let (around, shield) = surroundings(prefix, opaque);
        let first = self.exact.len();
        self.exact.extend(open.own);
        self.nodes.push(Node {
            text: open.text,
            len: open.len,
            shortest: parent.max(shield.saturating_sub(1)),
            needless: open.needless.saturating_add(around),
            own: (first, self.exact.len()),
            forced: open.forced,
            children: open.children,
            size: open.size + 1,
        });
        (1, open.size + 1)
    }
}

impl<'a> Open<'a> {
    fn add(&mut self, item: &Item<'a>) {
        if !item.changed {
            self.needless = self.needless.saturating_add(item.weight);
        } else if !item.exact {
            self.forced = true;
        } else if self.own.last() != Some(&item.text) {
            self.own.push(item.text);
        }
    }
}

impl Node<'_> {
    /// The wildcard: its prefix as short as it takes no more, but behind the last `/` that it need not cross.
    pub(super) fn wildcard(&self) -> String {
        let bytes = self.text.as_bytes();
        let open = bytes.get(self.shortest..self.len).unwrap_or_default();
        let end = match open.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => self.shortest + slash + 1,
            None => path::cut_after(bytes, self.shortest, self.len),
        };
        format!("{}*", self.text.get(..end).unwrap_or_default())
    }
}

/// How far both agree, up to `limit`, cut back to where a wildcard may end.
fn common(a: &str, b: &str, limit: usize) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let alike = a.iter().zip(b).take(limit).take_while(|(x, y)| x == y);
    path::cut_before(b, alike.count())
}

/// The weight of the regions that a prefix lies within, and the length of the longest shield that it relies on.
pub(super) fn surroundings(prefix: &str, opaque: &[Opaque]) -> (u64, usize) {
    let (mut weight, mut longest) = (0u64, 0);
    for region in opaque {
        if region.prefix.len() >= prefix.len() || !prefix.starts_with(&region.prefix) {
            continue;
        }
        let shields = region.shields.iter();
        let held = shields.filter(|shield| prefix.starts_with(shield.as_str()));
        // The shortest shield suffices, so the wildcard may be as short as that.
        match held.map(String::len).min() {
            Some(len) => longest = longest.max(len),
            None => weight = weight.saturating_add(region.weight),
        }
    }
    (weight, longest)
}
