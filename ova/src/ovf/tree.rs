//! Reads a descriptor into a plain tree, with one prefix per namespace whatever the document calls it.

use std::collections::BTreeMap;
use std::fmt;

use roxmltree::{Document, Error, ParsingOptions};

use super::NAMESPACES;

/// Deeper than this nothing is read: a descriptor of ours is six deep.
const MAX_DEPTH: usize = 32;

/// More nodes than this are not read: a descriptor of ours has about 400.
const MAX_NODES: u32 = 20_000;

/// An element: `ovf:Item`, `rasd:Parent`. One of a namespace that is not ours is `{uri}name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Prefix and name.
    pub name: String,
    /// Prefix and name of each attribute, and its value.
    pub attributes: BTreeMap<String, String>,
    /// Its own text, without what surrounds it.
    pub text: String,
    /// Its elements.
    pub children: Vec<Node>,
}

/// Why a descriptor cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A prefix is used but not declared.
    Prefix(String),
    /// Anything else.
    Xml(String),
}

impl Node {
    /// Reads a document. No DTD, so no entities; depth and number of nodes are bounded.
    pub fn parse(text: &str) -> Result<Node, Fault> {
        let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        match Document::parse_with_options(text, options) {
            Ok(document) => node(document.root_element(), 0),
            Err(Error::UnknownNamespace(prefix, at)) => {
                Err(Fault::Prefix(format!("prefix {prefix:?} at line {} is not declared", at.row)))
            }
            Err(error) => Err(Fault::Xml(error.to_string())),
        }
    }

    /// An attribute's value.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The children of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of that name.
    pub fn first(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.first(name).map(|child| child.text.as_str())
    }

    /// The node itself and all below it.
    pub fn walk(&self) -> Vec<&Node> {
        let mut all = vec![self];
        let mut next = 0;
        while next < all.len() {
            all.extend(&all[next].children);
            next += 1;
        }
        all
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Prefix(what) | Fault::Xml(what) => f.write_str(what),
        }
    }
}

/// The parser does not recurse, this does: hence the bound.
fn node(source: roxmltree::Node<'_, '_>, depth: usize) -> Result<Node, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::Xml(format!("elements nested more than {MAX_DEPTH} deep")));
    }
    let attribute = |a: roxmltree::Attribute<'_, '_>| (name(a.namespace(), a.name()), a.value().to_owned());
    let children = source.children().filter(roxmltree::Node::is_element);
    Ok(Node {
        name: name(source.tag_name().namespace(), source.tag_name().name()),
        attributes: source.attributes().map(attribute).collect(),
        text: source.text().unwrap_or_default().trim().to_owned(),
        children: children.map(|child| node(child, depth + 1)).collect::<Result<_, _>>()?,
    })
}

fn name(uri: Option<&str>, local: &str) -> String {
    let prefix = |uri: &str| NAMESPACES.iter().find(|(_, known)| *known == uri).map(|(prefix, _)| *prefix);
    match uri.map(|uri| (uri, prefix(uri))) {
        None => local.to_owned(),
        Some((_, Some(prefix))) => format!("{prefix}:{local}"),
        Some((uri, None)) => format!("{{{uri}}}{local}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVF: &str = "http://schemas.dmtf.org/ovf/envelope/1";

    #[test]
    fn names_have_our_prefixes() {
        let text =
            format!("<Envelope xmlns='{OVF}' xmlns:o='{OVF}'><File o:id='1' a='2'> x </File></Envelope>");
        let root = Node::parse(&text).unwrap();
        let file = root.first("ovf:File").unwrap();
        assert_eq!(root.name, "ovf:Envelope");
        assert_eq!((file.attr("ovf:id"), file.attr("a"), file.text.as_str()), (Some("1"), Some("2"), "x"));
        assert_eq!(root.walk().len(), 2);
    }

    #[test]
    fn faults_tell_prefixes_from_the_rest() {
        assert!(matches!(Node::parse("<a:b/>"), Err(Fault::Prefix(_))));
        assert!(matches!(Node::parse("<b>"), Err(Fault::Xml(_))));
        assert!(matches!(Node::parse("<!DOCTYPE b [<!ENTITY c 'd'>]><b>&c;</b>"), Err(Fault::Xml(_))));
    }

    #[test]
    fn depth_and_number_of_nodes_are_bounded() {
        let nested = |n: usize| format!("{}{}", "<a b='/>'>".repeat(n), "</a>".repeat(n));
        assert!(Node::parse(&nested(MAX_DEPTH)).is_ok());
        assert!(Node::parse(&nested(1000)).is_err());
        assert!(Node::parse(&nested(300_000)).is_err());
    }
}
