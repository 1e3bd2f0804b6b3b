//! The radix tree of all request paths, reduced to the nodes where a choice is to be made.

use super::path::{self, PathDialect};

/// A request path that an edge may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniverseEntry<'a> {
    /// Encoded.
    pub text: &'a str,
    /// Whether its answer changed.
    pub changed: bool,
    /// Whether it can be purged alone. Where not, `text` is a prefix: if changed, a wildcard must take all that begins so.
    pub exact: bool,
    /// What it costs to purge it needlessly; nothing where no edge can hold it yet.
    pub weight: u64,
}

/// What other origins answer: all paths with a prefix, except those that begin with a shield (an earlier behavior took them).
///
/// A wildcard that takes the prefix itself takes the region; each wildcard within it takes some of it, and is priced alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRegion {
    /// The behavior's path pattern.
    pub pattern: String,
    pub prefix: String,
    pub weight: u64,
    pub shields: Vec<String>,
}

/// A place where either one wildcard takes all beneath, or its own paths and its children's choices do.
#[derive(Clone, Debug, Default)]
pub(super) struct Node<'a> {
    text: &'a str,
    /// The wildcard's prefix is longer than `shortest` and at most `len` bytes of `text`.
    len: usize,
    shortest: usize,
    /// What a wildcard here takes needlessly.
    pub(super) needless: u64,
    /// Changed paths that end here and can be purged alone.
    pub(super) own: Vec<&'a str>,
    /// Something that ends here can be purged by a wildcard alone.
    pub(super) forced: bool,
    pub(super) children: usize,
    /// How many nodes the subtree has, itself among them.
    pub(super) size: usize,
}

/// Nodes in post-order: children before parents, the root last.
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    regions: &'a [ForeignRegion],
}

impl<'a> Tree<'a> {
    /// Builds the tree of sorted entries, in one pass and without recursion.
    pub(super) fn build(
        universe: &[UniverseEntry<'a>],
        regions: &'a [ForeignRegion],
        dialect: PathDialect,
    ) -> Self {
        let nodes = Vec::new();
        let mut tree = Self { nodes, regions };
        let mut stack = vec![Node::begun("/", 1)];
        let mut last: (&str, usize) = ("/", 1);
        for entry in with_marks(universe, regions) {
            let reach = path::reach(entry.text, dialect).max(1);
            let alike = common(last.0, entry.text, last.1.min(reach)).max(1);
            tree.close(&mut stack, alike);
            if stack.last().is_none_or(|top| top.len < reach) {
                stack.push(Node::begun(entry.text, reach));
            }
            if let Some(top) = stack.last_mut() {
                top.add(&entry);
            }
            last = (entry.text, reach);
        }
        tree.close(&mut stack, 1);
        if let Some(root) = stack.pop() {
            tree.emit(root, 0);
        }
        tree
    }

    /// Joins trees under a root that stands for no place, so that no wildcard may be taken there.
    pub(super) fn join(trees: &[&Self]) -> Self {
        let nodes = trees.iter().flat_map(|tree| &tree.nodes);
        let mut nodes: Vec<Node<'a>> = nodes.cloned().collect();
        let children = trees.iter().filter(|tree| !tree.nodes.is_empty());
        nodes.push(Node {
            children: children.count(),
            size: nodes.len() + 1,
            ..Node::default()
        });
        let regions = &[];
        Self { nodes, regions }
    }

    /// Closes every open node that is longer than `len`, and sees that one of that length is open.
    fn close(&mut self, stack: &mut Vec<Node<'a>>, len: usize) {
        while let Some(node) = stack.pop_if(|top| top.len > len) {
            if stack.last().is_none_or(|below| below.len < len) {
                stack.push(Node::begun(node.text, len));
            }
            if let Some(below) = stack.last_mut() {
                below.needless = below.needless.saturating_add(node.needless);
                let (children, size) = self.emit(node, below.len);
                below.children += children;
                below.size += size;
            }
        }
    }

    /// Writes a node, unless there is nothing to choose: nothing changed beneath it, or one child whose wildcard takes as much
    /// that changed and no more. Returns how many children and nodes its parent gains.
    fn emit(&mut self, mut node: Node<'a>, parent: usize) -> (usize, usize) {
        let plain = node.own.is_empty() && !node.forced;
        if plain && node.children < 2 {
            return (node.children, node.size);
        }
        let prefix = node.text.get(..node.len).unwrap_or_default();
        node.shortest = parent;
        for (region, shield) in around(prefix, self.regions) {
            match shield {
                // The wildcard relies on it.
                Some(len) => node.shortest = node.shortest.max(len.saturating_sub(1)),
                None => node.needless = node.needless.saturating_add(region.weight),
            }
        }
        node.size += 1;
        let size = node.size;
        self.nodes.push(node);
        (1, size)
    }

    /// Walks from the root down, not beneath a node whose wildcard is taken: nodes with their positions, and whether it is.
    pub(super) fn walk(&self, takes_wildcard: &[bool]) -> Vec<(usize, &Node<'a>, bool)> {
        let mut reached = Vec::new();
        let mut end = self.nodes.len();
        let nodes = self.nodes.iter().zip(takes_wildcard).enumerate();
        for (position, (node, wildcard)) in nodes.rev() {
            if position < end {
                reached.push((position, node, *wildcard));
                end = if *wildcard {
                    end.saturating_sub(node.size)
                } else {
                    position
                };
            }
        }
        reached
    }

    /// Returns the invalidation paths that decisions amount to, sorted.
    pub(super) fn paths(&self, takes_wildcard: &[bool]) -> Vec<String> {
        let mut paths = Vec::new();
        for (_, node, wildcard) in self.walk(takes_wildcard) {
            if wildcard {
                paths.push(node.wildcard());
            } else {
                paths.extend(node.own.iter().map(|text| (*text).to_owned()));
            }
        }
        paths.sort();
        paths
    }
}

/// Returns the entries in order, with marks that only weigh for the regions, and marks that only cut for what is shielded.
fn with_marks<'a>(
    universe: &[UniverseEntry<'a>],
    regions: &'a [ForeignRegion],
) -> Vec<UniverseEntry<'a>> {
    let mark = |text: &'a str, weight| UniverseEntry {
        text,
        weight,
        changed: false,
        exact: false,
    };
    let marks = regions.iter().flat_map(|region| {
        let shields = region.shields.iter().map(move |text| mark(text, 0));
        shields.chain([mark(&region.prefix, region.weight)])
    });
    let mut entries: Vec<UniverseEntry<'a>> = universe.iter().copied().chain(marks).collect();
    entries.sort_by(|a, b| a.text.cmp(b.text));
    entries
}

impl<'a> Node<'a> {
    fn begun(text: &'a str, len: usize) -> Self {
        Self {
            text,
            len,
            ..Self::default()
        }
    }

    fn add(&mut self, entry: &UniverseEntry<'a>) {
        if !entry.changed {
            self.needless = self.needless.saturating_add(entry.weight);
        } else if !entry.exact {
            self.forced = true;
        } else if self.own.last() != Some(&entry.text) {
            self.own.push(entry.text);
        }
    }

    /// Returns the wildcard: its prefix as short as it takes no more, but behind the last `/` that it need not cross.
    fn wildcard(&self) -> String {
        let bytes = self.text.as_bytes();
        let open = bytes.get(self.shortest..self.len).unwrap_or_default();
        let end = match open.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => self.shortest + slash + 1,
            None => path::cut_after(bytes, self.shortest, self.len),
        };
        format!("{}*", self.text.get(..end).unwrap_or_default())
    }
}

/// Returns how far both agree, up to `limit`, cut back to where a wildcard may end.
fn common(a: &str, b: &str, limit: usize) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let alike = a.iter().zip(b).take(limit).take_while(|(x, y)| x == y);
    path::cut_before(b, alike.count())
}

/// Returns the regions that a prefix lies within, each with the length of the shield that keeps it out.
pub(super) fn around<'r>(
    prefix: &str,
    regions: &'r [ForeignRegion],
) -> impl Iterator<Item = (&'r ForeignRegion, Option<usize>)> {
    let around = regions.iter().filter(move |region| {
        region.prefix.len() < prefix.len() && prefix.starts_with(&region.prefix)
    });
    around.map(move |region| {
        let shields = region.shields.iter();
        let held = shields.filter(|shield| prefix.starts_with(shield.as_str()));
        // The shortest shield suffices, so the wildcard may be as short as that.
        (region, held.map(String::len).min())
    })
}
