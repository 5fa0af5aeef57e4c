//! An object as bytes: its compact JSON text and a small index over it (decision 0002).
//!
//! This is the one form in which objects are stored, sent, cached and read by policies. Nothing builds a tree to read a
//! field: [`Node`] walks the index and compares keys in the text. The index takes 2 bytes a value, 2 more a
//! container and about 3 more a member of large objects (twice that from 32 KiB on): about 0.2 × the text of Kubernetes objects.

mod index;
mod keep;
mod name;
mod node;
mod parse;
mod scan;

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use index::Index;
pub use keep::Keep;
pub use name::Name;
pub use node::{Elements, Members, Node, NodeKind, Number};
pub use parse::{MAX_DEPTH, ParseError};

/// A JSON value with its index. Cloning shares both.
#[derive(Clone)]
pub struct Object {
    /// INVARIANT: one JSON value, no white space outside strings.
    text: ByteString,
    /// See `index` for the layout.
    index: Index,
    /// Whether any text is written with escapes; only then what is not there in plain spelling is looked for again,
    /// letter by letter.
    escaped: bool,
    /// Whether parts of it were left out.
    cut: bool,
}

impl Object {
    /// Reads any JSON text. Text that is already compact is kept as it is (no copy); other text is compacted first.
    /// Of duplicate keys the first counts; a door that must refuse them does so before.
    ///
    /// # Errors
    /// Malformed JSON, invalid UTF-8, nesting beyond [`MAX_DEPTH`], text of 2 GiB or more: with the byte offset.
    pub fn parse(text: impl Into<Bytes>) -> Result<Object, ParseError> {
        parse::parse(text.into())
    }

    /// The compact JSON text.
    pub fn text(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// The same object with text and index in allocations of their exact size: what a cache keeps.
    #[must_use]
    pub fn compact(&self) -> Object {
        Object { text: ByteString::from(&*self.text), ..self.clone() }
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        Node::root(self)
    }

    /// The value at a path of member names, if every member is there.
    pub fn at(&self, path: &[&str]) -> Option<Node<'_>> {
        self.root().at(path)
    }

    /// The text at a path; empty when absent or not a string. For names, which need no escapes.
    pub fn str_at(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Node::as_plain_str).unwrap_or_default()
    }

    /// A copy without the member at `path`: caches drop `metadata.managedFields` with it.
    #[must_use]
    pub fn without(&self, path: &[&str]) -> Object {
        let Some((last, parents)) = path.split_last() else { return self.clone() };
        let Some(range) = self.at(parents).and_then(|parent| parent.member_range(last)) else { return self.clone() };
        let text = [&self.text[..range.start], &self.text[range.end..]].concat();
        // Taking a whole member and one comma out of valid JSON leaves valid JSON.
        Object::parse(text).map_or_else(|_| self.clone(), |it| Object { cut: self.cut, ..it })
    }

    /// Bytes that text and index take.
    pub fn memory(&self) -> usize {
        self.text.len() + self.index.memory()
    }

    /// Has the processor fetch the object: what is read of it soon waits for memory once and not at every step. Worth it where many
    /// objects are walked that no cache holds.
    #[inline]
    pub fn fetch(&self) {
        // A line of the cache each.
        let text = self.text.as_bytes().iter().step_by(64).fold(0, |sum, byte| sum ^ byte);
        std::hint::black_box(text ^ self.index.fetch());
    }

    /// The whole object as a tree: for cold paths that change it.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The object from a tree.
    pub fn from_value(value: &serde_json::Value) -> Object {
        // A tree prints as compact JSON; only one that is nested too deep fails, and becomes null.
        Object::parse(value.to_string()).unwrap_or_else(|_| Object::null())
    }

    /// JSON `null`.
    pub fn null() -> Object {
        Object { text: ByteString::from_static("null"), index: Index::null(), escaped: false, cut: false }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.text == other.text
    }
}

impl Eq for Object {}

impl fmt::Debug for Object {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
