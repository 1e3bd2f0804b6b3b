//! The facts of many pages in little memory, by their content: each text once. It can be kept as bytes; whatever is wrong with
//! those, they are no table.

use std::collections::HashMap;

use flate2::Crc;

use super::page_facts::{LinkSort, PageFacts};
use crate::object::Md5;

/// Another number for any change of the layout, or of what is read of a page.
const MAGIC: &[u8; 16] = b"unstale pages 2\n";
/// Bytes of a page's record: its MD5, and four numbers of four bytes each.
const RECORD: usize = 32;

/// A text of the table, by its number.
pub type TextId = u32;

/// What is known of pages and style sheets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageTable {
    /// All texts, one after the other; the first is empty.
    texts: String,
    /// Where in it each ends.
    ends: Vec<u32>,
    pages: Vec<PageRecord>,
    anchors: Vec<TextId>,
    /// Each a text and a sort.
    links: Vec<u32>,
    by_content: HashMap<Md5, u32>,
}

/// Where in the table a page's facts stand: each list begins where the page's before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PageRecord {
    content: Md5,
    title: TextId,
    scripted: u32,
    anchors_end: u32,
    links_end: u32,
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
        let index = *self.by_content.get(content)? as usize;
        let record = self.pages.get(index)?;
        let before = index
            .checked_sub(1)
            .and_then(|before| self.pages.get(before));
        let (anchors, links) = before.map_or((0, 0), |page| (page.anchors_end, page.links_end));
        let title = Some(self.text(record.title)).filter(|title| !title.is_empty());
        Some(TabledPage {
            title,
            scripted: record.scripted != 0,
            anchors: slice(&self.anchors, anchors, record.anchors_end),
            links: slice(&self.links, links, record.links_end),
        })
    }

    /// Writes the table as bytes: numbers, texts, and the CRC-32 of all.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let lengths = [
            self.ends.len(),
            self.pages.len(),
            self.anchors.len(),
            self.links.len(),
        ];
        let mut number = |number: u32| out.extend(number.to_le_bytes());
        lengths.into_iter().for_each(|length| number(length as u32));
        let numbers = [&self.ends, &self.anchors, &self.links];
        numbers
            .into_iter()
            .flatten()
            .for_each(|value| number(*value));
        for page in &self.pages {
            out.extend(page.content.0);
            for value in [page.title, page.scripted, page.anchors_end, page.links_end] {
                out.extend(value.to_le_bytes());
            }
        }
        out.extend(self.texts.as_bytes());
        let sum = checksum(&out);
        out.extend(sum);
        out
    }

    /// Reads what [`PageTable::encode`] wrote; `None` for anything else.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let (content, sum) = data.split_last_chunk()?;
        if checksum(content) != *sum {
            return None;
        }
        let mut rest = TableBytes(content.strip_prefix(MAGIC)?);
        let lengths = rest.numbers(4)?;
        let &[texts, pages, anchors, links] = lengths.as_slice() else {
            return None;
        };
        let mut table = Self {
            ends: rest.numbers(texts)?,
            anchors: rest.numbers(anchors)?,
            links: rest.numbers(links)?,
            ..Self::default()
        };
        let (records, left) = rest
            .0
            .split_at_checked((pages as usize).checked_mul(RECORD)?)?;
        for record in records.as_chunks::<RECORD>().0 {
            table.pages.push(PageRecord::decode(record)?);
        }
        table.texts = std::str::from_utf8(left).ok()?.to_owned();
        let index = |(index, page): (usize, &PageRecord)| (page.content, index as u32);
        table.by_content = table.pages.iter().enumerate().map(index).collect();
        table.is_sound().then_some(table)
    }

    /// Returns whether no number leads out of the table.
    fn is_sound(&self) -> bool {
        let ends = self.ends.iter().map(|end| *end as usize);
        let texts = self.ends.len() as u32;
        let sorts = LinkSort::ALL.len() as u32;
        let lists = |page: &PageRecord| (page.anchors_end as usize, page.links_end as usize);
        let last = self.pages.last().map_or((0, 0), lists);
        self.ends.is_sorted()
            && ends.clone().all(|end| self.texts.is_char_boundary(end))
            && self.pages.is_sorted_by(|page, next| {
                page.anchors_end <= next.anchors_end && page.links_end <= next.links_end
            })
            && last == (self.anchors.len(), self.links.len())
            && self.anchors.iter().all(|id| *id < texts)
            && self.links.iter().all(|link| link / sorts < texts)
            && self.pages.iter().all(|page| page.title < texts)
            && self.by_content.len() == self.pages.len()
    }
}

impl PageRecord {
    fn decode(bytes: &[u8; RECORD]) -> Option<Self> {
        let (content, rest) = bytes.split_first_chunk()?;
        let &[title, scripted, anchors_end, links_end] = TableBytes(rest).numbers(4)?.as_slice()
        else {
            return None;
        };
        Some(Self {
            content: Md5(*content),
            title,
            scripted,
            anchors_end,
            links_end,
        })
    }
}

/// What is left to be read.
struct TableBytes<'a>(&'a [u8]);

impl TableBytes<'_> {
    fn numbers(&mut self, count: u32) -> Option<Vec<u32>> {
        let (taken, rest) = self.0.split_at_checked((count as usize).checked_mul(4)?)?;
        self.0 = rest;
        let numbers = taken.as_chunks().0.iter();
        Some(numbers.map(|bytes| u32::from_le_bytes(*bytes)).collect())
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
        let title = self.intern(facts.title.as_deref().unwrap_or_default());
        let anchors: Vec<TextId> = facts.anchors.iter().map(|text| self.intern(text)).collect();
        let mut links = Vec::with_capacity(facts.links.len());
        for link in &facts.links {
            links.push((link.sort, self.intern(&link.to)));
        }
        self.push(content, (title, facts.scripted), anchors, links);
    }

    /// Adds the page of another table with this content. `ids` has the numbers here of the texts there, as far as they are known.
    pub fn copy(&mut self, from: &PageTable, content: Md5, ids: &mut HashMap<TextId, TextId>) {
        let Some(page) = from.page(&content) else {
            return;
        };
        let mut id = |id: TextId| *ids.entry(id).or_insert_with(|| self.intern(from.text(id)));
        let anchors = page.anchors.iter().map(|anchor| id(*anchor)).collect();
        let links = page.links().map(|(sort, text)| (sort, id(text))).collect();
        let title = self.intern(page.title.unwrap_or_default());
        self.push(content, (title, page.scripted), anchors, links);
    }

    fn push(
        &mut self,
        content: Md5,
        (title, scripted): (TextId, bool),
        anchors: Vec<TextId>,
        links: Vec<(LinkSort, TextId)>,
    ) {
        let table = &mut self.table;
        if table.has(&content) {
            return;
        }
        let sorts = LinkSort::ALL.len() as u32;
        table.anchors.extend(anchors);
        let packed = |(sort, text): (LinkSort, TextId)| text * sorts + sort as u32;
        table.links.extend(links.into_iter().map(packed));
        table.by_content.insert(content, table.pages.len() as u32);
        table.pages.push(PageRecord {
            content,
            title,
            scripted: u32::from(scripted),
            anchors_end: table.anchors.len() as u32,
            links_end: table.links.len() as u32,
        });
    }

    pub fn finish(self) -> PageTable {
        self.table
    }
}

fn slice(list: &[u32], start: u32, end: u32) -> &[u32] {
    list.get(start as usize..end as usize).unwrap_or_default()
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
        let decoded = PageTable::decode(&table.encode()).expect("a table");
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
            let whole = table(&PAGES).encode();
            let place = place.index(whole.len());
            proptest::prop_assert!(PageTable::decode(&whole[..place]).is_none());
            let mut wrong = whole;
            wrong[place] ^= change;
            proptest::prop_assert!(PageTable::decode(&wrong).is_none());
        }

        #[test]
        fn wrong_numbers_are_no_panic(place: proptest::sample::Index, number: u32) {
            let mut whole = table(&PAGES).encode();
            whole.truncate(whole.len() - 4);
            let place = 16 + place.index(whole.len() - 20);
            whole[place..place + 4].copy_from_slice(&number.to_le_bytes());
            whole.extend(checksum(&whole));
            if let Some(table) = PageTable::decode(&whole) {
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
