//! A small XML tree: what CloudFront's API reads and answers.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

/// An element with either text or children.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

/// An element with children.
pub(crate) fn node(name: &str, children: impl IntoIterator<Item = Element>) -> Element {
    Element {
        name: name.to_owned(),
        text: String::new(),
        children: children.into_iter().collect(),
    }
}

/// An element with text.
pub(crate) fn leaf(name: &str, text: impl ToString) -> Element {
    Element {
        name: name.to_owned(),
        text: text.to_string(),
        children: Vec::new(),
    }
}

/// CloudFront's form of a list: `Quantity` and `Items`, which is left out when empty.
pub(crate) fn list(name: &str, items: impl IntoIterator<Item = Element>) -> Element {
    let items: Vec<Element> = items.into_iter().collect();
    let mut element = node(name, [leaf("Quantity", items.len())]);
    if !items.is_empty() {
        element.children.push(node("Items", items));
    }
    element
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at a path such as `Paths/Items`.
    pub(crate) fn at(&self, path: &str) -> Option<&Element> {
        path.split('/')
            .try_fold(self, |here, name| here.child(name))
    }

    /// The element at a path, itself where that is empty.
    pub(crate) fn part_mut(&mut self, path: &str) -> Option<&mut Element> {
        let mut names = path.split('/').filter(|name| !name.is_empty());
        names.try_fold(self, |here, name| {
            here.children.iter_mut().find(|child| child.name == name)
        })
    }

    /// The text at a path; empty where there is none.
    pub(crate) fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", |element| element.text.as_str())
    }

    /// The children of `NAME/Items`.
    pub(crate) fn items(&self, path: &str) -> &[Element] {
        self.at(path)
            .and_then(|list| list.child("Items"))
            .map_or(&[], |items| items.children.as_slice())
    }

    /// Reads one document. `None` where it is not well formed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(leaf(&name_of(&start)?, "")),
                Event::Empty(start) => open.last_mut()?.children.push(leaf(&name_of(&start)?, "")),
                Event::End(_) => {
                    let mut done = open.pop()?;
                    if !done.children.is_empty() {
                        done.text.clear();
                    }
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::GeneralRef(entity) => {
                    let resolved = match entity.resolve_char_ref().ok()? {
                        Some(character) => character.to_string(),
                        None => resolve_predefined_entity(&entity.decode().ok()?)?.to_owned(),
                    };
                    open.last_mut()?.text.push_str(&resolved);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut root = open.pop().filter(|_| open.is_empty())?;
        (root.children.len() == 1).then(|| root.children.remove(0))
    }

    /// The document, in `namespace` unless that is empty.
    pub(crate) fn document(&self, namespace: &str) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        // Writing to a Vec cannot fail.
        let _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        self.write(&mut writer, namespace);
        writer.into_inner()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>, namespace: &str) {
        let mut start = BytesStart::new(self.name.as_str());
        if !namespace.is_empty() {
            start.push_attribute(("xmlns", namespace));
        }
        let _ = writer.write_event(Event::Start(start));
        if !self.text.is_empty() {
            let _ = writer.write_event(Event::Text(BytesText::new(&self.text)));
        }
        for child in &self.children {
            child.write(writer, "");
        }
        let _ = writer.write_event(Event::End(BytesEnd::new(self.name.as_str())));
    }
}

fn name_of(start: &BytesStart<'_>) -> Option<String> {
    String::from_utf8(start.local_name().as_ref().to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back_as_it_was_written() {
        let tree = node(
            "A",
            [
                leaf("B", "x & <y> \"'\n é"),
                list("C", [leaf("Path", "/%20*")]),
            ],
        );
        let text = String::from_utf8(tree.document("http://x/")).unwrap();
        assert_eq!(Element::parse(&text).unwrap(), tree);
        assert_eq!(tree.items("C")[0].text, "/%20*");
    }

    #[test]
    fn entities_are_resolved_and_garbage_is_refused() {
        let read = Element::parse("<A>&#x26;&lt;&#65;</A>").unwrap();
        assert_eq!(read.text, "&<A");
        for bad in ["", "<A>", "<A></B>", "text", "<A/><B/>", "<A>&nope;</A>"] {
            assert_eq!(Element::parse(bad), None, "{bad}");
        }
    }
}
