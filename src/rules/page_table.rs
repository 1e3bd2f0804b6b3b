//! The facts of many pages in little memory, by their content: each text once. It can be kept as bytes; whatever is wrong with
//! those, they are no table.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
    texts: Vec<Box<str>>,
    pages: Vec<TabledPage>,
    #[serde(skip)]
    by_content: HashMap<Md5, usize>,
}

/// The facts of one page of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabledPage {
    content: [u8; 16],
    title: Option<TextId>,
    pub scripted: bool,
    pub anchors: Vec<TextId>,
    pub links: Vec<(LinkSort, TextId)>,
}

impl TabledPage {
    /// Returns the text of its `<base href>`.
    pub fn base(&self) -> Option<TextId> {
        let mut links = self.links.iter();
        links.find_map(|(sort, text)| (*sort == LinkSort::Base).then_some(*text))
    }
}

impl PageTable {
    pub fn text(&self, id: TextId) -> &str {
        self.texts.get(id as usize).map_or("", |text| text)
    }

    pub fn title(&self, page: &TabledPage) -> Option<&str> {
        page.title.map(|title| self.text(title))
    }

    /// Returns how many texts there are.
    pub fn texts(&self) -> usize {
        self.texts.len()
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
    pub fn page(&self, content: &Md5) -> Option<&TabledPage> {
        self.pages.get(*self.by_content.get(content)?)
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
#[derive(Debug, Default)]
pub struct PageTableBuilder {
    table: PageTable,
    ids: HashMap<Box<str>, TextId>,
}

impl PageTableBuilder {
    fn intern(&mut self, text: &str) -> TextId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.table.texts.len() as TextId;
        self.table.texts.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// Adds a page that was read.
    pub fn add(&mut self, content: Md5, facts: &PageFacts) {
        let mut id = |text: &str| self.intern(text);
        let page = TabledPage {
            content: content.0,
            title: facts.title.as_deref().map(&mut id),
            scripted: facts.scripted,
            anchors: facts.anchors.iter().map(|text| id(text)).collect(),
            links: (facts.links.iter())
                .map(|link| (link.sort, id(&link.to)))
                .collect(),
        };
        self.push(page);
    }

    /// Adds the page of another table with this content.
    pub fn copy(&mut self, from: &PageTable, content: Md5) {
        let Some(page) = from.page(&content) else {
            return;
        };
        let mut id = |id: &TextId| self.intern(from.text(*id));
        let page = TabledPage {
            title: page.title.as_ref().map(&mut id),
            anchors: page.anchors.iter().map(&mut id).collect(),
            links: (page.links.iter())
                .map(|(sort, text)| (*sort, id(text)))
                .collect(),
            ..*page
        };
        self.push(page);
    }

    /// Adds a page; one whose content is there already adds nothing.
    fn push(&mut self, page: TabledPage) {
        let PageTable {
            pages, by_content, ..
        } = &mut self.table;
        if let Entry::Vacant(vacant) = by_content.entry(Md5(page.content)) {
            vacant.insert(pages.len());
            pages.push(page);
        }
    }

    pub fn finish(self) -> PageTable {
        self.table
    }
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
        let mut copy = PageTableBuilder::default();
        copy.copy(&table, Md5([2; 16]));
        copy.copy(&table, Md5([0; 16]));
        let decoded = PageTable::decode(&table.encode().unwrap()).expect("a table");
        assert_eq!(decoded, table);
        for table in [table, copy.finish(), decoded] {
            let page = table.page(&Md5([0; 16])).expect("a page");
            let text = |(sort, id): &(LinkSort, TextId)| (*sort, table.text(*id).to_owned());
            let links: Vec<_> = page.links.iter().map(text).collect();
            let expected = [(LinkSort::Visit, "/b"), (LinkSort::Load, "i.png")];
            assert_eq!(links, expected.map(|(sort, to)| (sort, to.to_owned())));
            assert_eq!(table.title(page), Some("A"));
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
                        let texts = page.links.iter().map(|(_, id)| table.text(*id).len());
                        proptest::prop_assert!(texts.max() <= Some(whole.len()));
                    }
                }
            }
        }
    }
}
