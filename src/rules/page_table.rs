//! The facts of many pages in little memory, by their content: each text once. It can be kept as bytes; whatever is wrong with
//! those, they are no table.

use std::collections::HashMap;

use flate2::Crc;
use serde::{Deserialize, Serialize};

use super::page_facts::{LinkSort, PageFacts};
use crate::object::Md5;

/// Another number for any change of the layout, or of what is read of a page.
const MAGIC: &[u8; 16] = b"unstale pages 3\n";

/// A text of the table, by its number.
pub type TextId = u32;

/// What is known of pages and style sheets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTable {
    /// All texts, one after the other; the first is empty.
    texts: String,
    /// Where in it each ends.
    ends: Vec<u32>,
    pages: Vec<PageRecord>,
    anchors: Vec<TextId>,
    /// Each a text and a sort.
    links: Vec<u32>,
    #[serde(skip)]
    by_content: HashMap<Md5, usize>,
}

/// Where in the table a page's facts stand: each list begins where the page's before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PageRecord {
    content: [u8; 16],
    title: TextId,
    scripted: bool,
    anchors_end: usize,
    links_end: usize,
}

/// The facts of one page of a table.
#[derive(Clone, Copy, Debug)]
pub struct TabledPage<'a> {
    pub title: Option<&'a str>,
    pub scripted: bool,
    pub anchors: &'a [TextId],
    links: &'a [u32],
}

impl TabledPage<'_> {
    /// Returns the text of its `<base href>`.
    pub fn base(&self) -> Option<TextId> {
        let mut links = self.links();
        links.find_map(|(sort, text)| (sort == LinkSort::Base).then_some(text))
    }

    pub fn links(&self) -> impl Iterator<Item = (LinkSort, TextId)> {
        self.links.iter().filter_map(|link| {
            let sort = LinkSort::ALL.get(*link as usize % LinkSort::ALL.len())?;
            Some((*sort, link / LinkSort::ALL.len() as u32))
        })
    }
}

impl PageTable {
    pub fn text(&self, id: TextId) -> &str {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before));
        let (start, end) = (start.copied().unwrap_or(0), self.ends.get(id).copied());
        let range = start as usize..end.unwrap_or(start) as usize;
        self.texts.get(range).unwrap_or_default()
    }

    /// Returns how many texts there are.
    pub fn texts(&self) -> usize {
        self.ends.len()
    }

    /// Returns how many pages there are.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    pub fn has(&self, content: &Md5) -> bool {
        self.by_content.contains_key(content)
    }

    /// Returns the page with this content.
    pub fn page(&self, content: &Md5) -> Option<TabledPage<'_>> {
        let index = *self.by_content.get(content)?;
        let record = self.pages.get(index)?;
        let before = index.checked_sub(1);
        let before = before.and_then(|before| self.pages.get(before));
        let (anchors, links) = before.map_or((0, 0), |page| (page.anchors_end, page.links_end));
        Some(TabledPage {
            title: Some(self.text(record.title)).filter(|title| !title.is_empty()),
            scripted: record.scripted,
            anchors: self.anchors.get(anchors..record.anchors_end)?,
            links: self.links.get(links..record.links_end)?,
        })
    }

    /// Writes the table as bytes: JSON, and the CRC-32 of all.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut out = MAGIC.to_vec();
        serde_json::to_writer(&mut out, self)?;
        let sum = checksum(&out);
        out.extend(sum);
        Ok(out)
    }

    /// Reads what [`PageTable::encode`] wrote; `None` for anything else.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let (content, sum) = data.split_last_chunk()?;
        if checksum(content) != *sum {
            return None;
        }
        let mut table: Self = serde_json::from_slice(content.strip_prefix(MAGIC)?).ok()?;
        let contents = table.pages.iter().map(|page| Md5(page.content));
        table.by_content = contents.zip(0..).collect();
        Some(table)
    }
}

/// Makes a table.
#[derive(Debug)]
pub struct PageTableBuilder {
    table: PageTable,
    ids: HashMap<Box<str>, TextId>,
}

impl Default for PageTableBuilder {
    fn default() -> Self {
        let mut builder = Self {
            table: PageTable::default(),
            ids: HashMap::new(),
        };
        // A page without a title has this one.
        builder.intern("");
        builder
    }
}

impl PageTableBuilder {
    fn intern(&mut self, text: &str) -> TextId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.table.ends.len() as TextId;
        self.table.texts.push_str(text);
        self.table.ends.push(self.table.texts.len() as u32);
        self.ids.insert(text.into(), id);
        id
    }

    /// Adds a page that was read; one whose content is there already adds nothing.
    pub fn add(&mut self, content: Md5, facts: &PageFacts) {
        if self.table.has(&content) {
            return;
        }
        for anchor in &facts.anchors {
            let id = self.intern(anchor);
            self.table.anchors.push(id);
        }
        for link in &facts.links {
            let id = self.intern(&link.to);
            self.table.links.push(packed(link.sort, id));
        }
        let title = self.intern(facts.title.as_deref().unwrap_or_default());
        self.end_page(content, title, facts.scripted);
    }

    /// Adds the page of another table with this content. `ids` has the numbers here of the texts there, as far as they are known.
    pub fn copy(&mut self, from: &PageTable, content: Md5, ids: &mut HashMap<TextId, TextId>) {
        let Some(page) = from.page(&content).filter(|_| !self.table.has(&content)) else {
            return;
        };
        let mut id = |builder: &mut Self, id: TextId| {
            *ids.entry(id)
                .or_insert_with(|| builder.intern(from.text(id)))
        };
        for anchor in page.anchors {
            let anchor = id(self, *anchor);
            self.table.anchors.push(anchor);
        }
        for (sort, text) in page.links() {
            let text = id(self, text);
            self.table.links.push(packed(sort, text));
        }
        let title = self.intern(page.title.unwrap_or_default());
        self.end_page(content, title, page.scripted);
    }

    /// Adds a page, whose anchors and links are there.
    fn end_page(&mut self, content: Md5, title: TextId, scripted: bool) {
        let table = &mut self.table;
        table.by_content.insert(content, table.pages.len());
        table.pages.push(PageRecord {
            content: content.0,
            title,
            scripted,
            anchors_end: table.anchors.len(),
            links_end: table.links.len(),
        });
    }

    pub fn finish(self) -> PageTable {
        self.table
    }
}

fn packed(sort: LinkSort, text: TextId) -> u32 {
    text * LinkSort::ALL.len() as u32 + sort as u32
}

fn checksum(data: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::page_reader::read_page;

    fn table(pages: &[&str]) -> PageTable {
        let mut builder = PageTableBuilder::default();
        for (index, html) in pages.iter().enumerate() {
            builder.add(Md5([index as u8; 16]), &read_page(html.as_bytes()));
        }
        builder.finish()
    }

    const PAGES: [&str; 3] = [
        "<title>A</title><a id=x href=/b><img src=i.png>",
        "",
        "<a id=x href=/b>é<a href=/c>",
    ];

    #[test]
    fn pages_are_as_they_were_read() {
        let table = table(&PAGES);
        let copy = {
            let (mut builder, mut ids) = (PageTableBuilder::default(), HashMap::new());
            builder.copy(&table, Md5([2; 16]), &mut ids);
            builder.copy(&table, Md5([0; 16]), &mut ids);
            builder.finish()
        };
        let decoded = PageTable::decode(&table.encode().unwrap()).expect("a table");
        assert_eq!(decoded, table);
        for table in [table, copy, decoded] {
            let page = table.page(&Md5([0; 16])).expect("a page");
            let text = |(sort, id)| (sort, table.text(id).to_owned());
            let links: Vec<_> = page.links().map(text).collect();
            let expected = [(LinkSort::Visit, "/b"), (LinkSort::Load, "i.png")];
            assert_eq!(links, expected.map(|(sort, to)| (sort, to.to_owned())));
            assert_eq!(page.title, Some("A"));
            let anchors = page.anchors.iter().map(|id| table.text(*id));
            assert_eq!(anchors.collect::<Vec<_>>(), ["x"]);
            assert!(table.page(&Md5([9; 16])).is_none());
        }
    }

    proptest::proptest! {
        #[test]
        fn one_wrong_byte_or_a_lost_end_is_noticed(place: proptest::sample::Index, change in 1_u8..) {
            let whole = table(&PAGES).encode().unwrap();
            let place = place.index(whole.len());
            proptest::prop_assert!(PageTable::decode(&whole[..place]).is_none());
            let mut wrong = whole;
            wrong[place] ^= change;
            proptest::prop_assert!(PageTable::decode(&wrong).is_none());
        }

        #[test]
        fn wrong_numbers_are_no_panic(place: proptest::sample::Index, digit in 0..10_u8) {
            let whole = table(&PAGES).encode().unwrap();
            let (content, _) = whole.split_last_chunk::<4>().unwrap();
            let mut text = std::str::from_utf8(content).unwrap().to_owned();
            let digits: Vec<usize> = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
            let place = digits[place.index(digits.len())];
            text.replace_range(place..=place, &digit.to_string());
            let mut wrong = text.into_bytes();
            wrong.extend(checksum(&wrong));
            if let Some(table) = PageTable::decode(&wrong) {
                for index in 0..3 {
                    if let Some(page) = table.page(&Md5([index; 16])) {
                        let texts = page.links().map(|(_, id)| table.text(id).len());
                        proptest::prop_assert!(texts.max() <= Some(whole.len()));
                    }
                }
            }
        }
    }
}
