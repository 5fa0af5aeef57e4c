//! Walking an object: a [`Node`] is a place in the text, found through the index.

use std::{borrow::Cow, ops::Range};

use super::{
    Name, Object,
    index::{self, Index, Word},
    scan::plain_len,
};

/// One value inside an object. Two words, copied freely, borrowing the object.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    object: &'a Object,
    /// Position of this value's entry in the index (high half), and where the value itself begins in the text (low half):
    /// one word, so that a node moves in two registers.
    at: u64,
}

/// What a value is, read from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// Any number.
    Number,
    /// Any string.
    String,
    /// `[…]`
    List,
    /// `{…}`
    Object,
}

/// A JSON number: whole where it is written so and fits 64 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Fits `i64` and is written without fraction and exponent.
    Int(i64),
    /// Beyond `i64` but within `u64`.
    UInt(u64),
    /// Everything else.
    Float(f64),
}

impl<'a> Node<'a> {
    pub(super) fn root(object: &'a Object) -> Node<'a> {
        Node { object, at: 0 }
    }

    /// Offsets and positions fit: texts are below 2 GiB, and there is at most one entry a byte.
    #[inline]
    fn new(object: &'a Object, entry: usize, start: usize) -> Node<'a> {
        Node { object, at: ((entry as u64) << 32) | start as u64 }
    }

    #[inline]
    fn text(self) -> &'a [u8] {
        self.str().as_bytes()
    }

    #[inline]
    fn str(self) -> &'a str {
        &self.object.text
    }

    #[inline]
    fn index(self) -> &'a Index {
        &self.object.index
    }

    #[inline]
    fn first(self) -> u8 {
        self.text()[self.start()]
    }

    #[inline]
    fn start(self) -> usize {
        self.at as u32 as usize
    }

    #[inline]
    fn entry(self) -> usize {
        (self.at >> 32) as usize
    }

    /// What kind of value this is.
    #[inline]
    pub fn kind(self) -> NodeKind {
        match self.first() {
            b'{' => NodeKind::Object,
            b'[' => NodeKind::List,
            b'"' => NodeKind::String,
            b't' | b'f' => NodeKind::Bool,
            b'n' => NodeKind::Null,
            _ => NodeKind::Number,
        }
    }

    /// Whether both are the same place in the same object.
    #[inline]
    pub fn is_same(self, other: Node<'_>) -> bool {
        self.at == other.at && std::ptr::eq(self.object, other.object)
    }

    /// Whether this is a list or an object.
    #[inline]
    pub fn is_container(self) -> bool {
        matches!(self.first(), b'{' | b'[')
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// A boolean's value.
    pub fn as_bool(self) -> Option<bool> {
        match self.first() {
            b't' => Some(true),
            b'f' => Some(false),
            _ => None,
        }
    }

    /// A number's value.
    pub fn as_number(self) -> Option<Number> {
        if let Some(int) = self.as_short_int() {
            return Some(Number::Int(int));
        }
        let digits = self.number_text()?;
        if let Ok(int) = digits.parse() {
            return Some(Number::Int(int));
        }
        if let Ok(uint) = digits.parse() {
            return Some(Number::UInt(uint));
        }
        digits.parse().ok().map(Number::Float)
    }

    /// A whole number of so few digits that nothing can overflow, which is nearly every one.
    #[inline]
    pub fn as_short_int(self) -> Option<i64> {
        let rest = &self.text()[self.start()..];
        let digit = |byte: u8| i64::from(byte - b'0');
        match *rest {
            // Hours, ports, counts: most numbers have one or two digits.
            [a @ b'0'..=b'9', b',' | b'}' | b']', ..] => return Some(digit(a)),
            [a @ b'0'..=b'9', b @ b'0'..=b'9', b',' | b'}' | b']', ..] => return Some(digit(a) * 10 + digit(b)),
            _ => {}
        }
        let negative = *rest.first()? == b'-';
        let digits = &rest[usize::from(negative)..];
        let mut int = 0;
        for (at, byte) in digits.iter().take(18).enumerate() {
            match byte {
                b'0'..=b'9' => int = int * 10 + digit(*byte),
                b'.' | b'e' | b'E' => return None,
                _ if at > 0 => return Some(if negative { -int } else { int }),
                _ => return None,
            }
        }
        None
    }

    /// A whole number's value.
    pub fn as_i64(self) -> Option<i64> {
        match self.as_number() {
            Some(Number::Int(int)) => Some(int),
            _ => None,
        }
    }

    /// A string's value; borrowed unless it has escapes. Lone surrogates read as U+FFFD.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let raw = self.raw_string()?;
        if raw.contains('\\') { Some(Cow::Owned(unescape(raw))) } else { Some(Cow::Borrowed(raw)) }
    }

    /// A string's value where it is written without escapes, as names and most text are.
    #[inline]
    pub fn as_plain_str(self) -> Option<&'a str> {
        let (b'"', rest) = self.text()[self.start()..].split_first()? else { return None };
        let len = plain_len(rest);
        let start = self.start() + 1;
        if rest.get(len) == Some(&b'"') { self.str().get(start..start + len) } else { None }
    }

    /// Whether this is a string that begins with `part`: without reading it where both are written plainly. `None` where that
    /// cannot be told, or this is no string.
    #[inline]
    pub fn starts_plainly_with(self, part: &str) -> Option<bool> {
        let rest = self.text()[self.start()..].strip_prefix(b"\"")?;
        if self.object.escaped || !Name::is_plain_text(part) {
            return None;
        }
        Some(rest.starts_with(part.as_bytes()))
    }

    /// Whether this is a string with the letters of `name`: without reading it where it is written plainly.
    #[inline]
    pub fn is_str(self, name: &Name) -> bool {
        let (text, start) = (self.text(), self.start() + 1);
        if self.first() != b'"' {
            return false;
        }
        // Names that are not plain begin like no text.
        match name.begins_at(text, start) {
            Some(false) if !self.object.escaped => false,
            Some(true) if name.is_short() => true,
            _ => self.is_str_slowly(name),
        }
    }

    #[inline(never)]
    fn is_str_slowly(self, name: &Name) -> bool {
        if name.is_plain() && name.is_at(self.text(), self.start() + 1) {
            return true;
        }
        self.object.escaped && self.as_str().is_some_and(|text| text == name.as_str())
    }

    /// The member called `name`, of an object.
    pub fn get(self, name: &str) -> Option<Node<'a>> {
        let len = name.len();
        let (text, bytes) = (self.text(), name.as_bytes());
        let found = self.find(name, index::hashes(bytes), |key| {
            // The quote tells most names apart without a comparison.
            text.get(key + len) == Some(&b'"') && text.get(key..key + len) == Some(bytes)
        })?;
        // That JSON may write the name so is asked last.
        if Name::is_plain_text(name) { Some(found) } else { self.find_escaped(name) }
    }

    /// The member called `name`, of an object: faster than [`Node::get`], for names that are looked up again and again.
    pub fn member(self, name: &Name) -> Option<Node<'a>> {
        let Some(words) = self.index().short() else { return self.member_slowly(name) };
        match look(words, self.text(), self.entry(), self.start(), name) {
            Look::Found(entry, start) => Some(Node::new(self.object, entry, start)),
            Look::Absent if !self.object.escaped => None,
            _ => self.member_slowly(name),
        }
    }

    /// The same for any index, and for names and keys that are not written plainly.
    #[inline(never)]
    fn member_slowly(self, name: &Name) -> Option<Node<'a>> {
        let text = self.text();
        self.find(name.as_str(), name.hashes(), |key| name.is_at(text, key))
    }

    /// The value that a way of member names leads to, and how many of the names could not be followed: then the value is the
    /// one that lacks the first of them.
    #[inline(always)]
    pub fn along(self, names: &[Name]) -> (Node<'a>, usize) {
        if let [name] = names {
            let Some(words) = self.index().short() else {
                return self.member_slowly(name).map_or((self, 1), |node| (node, 0));
            };
            return match look(words, self.text(), self.entry(), self.start(), name) {
                Look::Found(entry, start) => (Node::new(self.object, entry, start), 0),
                Look::Absent if !self.object.escaped => (self, 1),
                _ => self.member_slowly(name).map_or((self, 1), |node| (node, 0)),
            };
        }
        let (at, missed) = self.place_along(names);
        (Node { object: self.object, at }, missed)
    }

    // Two words that return in registers. Text and index stay in registers from name to name, too.
    fn place_along(self, mut names: &[Name]) -> (u64, usize) {
        let Some(words) = self.index().short() else { return self.place_along_slowly(names) };
        let text = self.text();
        let (mut entry, mut start) = (self.entry(), self.start());
        while let [name, rest @ ..] = names {
            match look(words, text, entry, start, name) {
                Look::Found(found, value) => (entry, start, names) = (found, value, rest),
                Look::Absent if !self.object.escaped => break,
                _ => return Node::new(self.object, entry, start).place_along_slowly(names),
            }
        }
        (Node::new(self.object, entry, start).at, names.len())
    }

    #[inline(never)]
    fn place_along_slowly(self, names: &[Name]) -> (u64, usize) {
        let mut node = self;
        for (at, name) in names.iter().enumerate() {
            match node.member_slowly(name) {
                Some(found) => node = found,
                None => return (node.at, names.len() - at),
            }
        }
        (node.at, 0)
    }

    /// The member whose key, which begins at the offset given, passes; `name` is looked for again where keys or the name
    /// may be written with escapes.
    #[inline]
    fn find(self, name: &str, hashes: u64, is_at: impl Fn(usize) -> bool) -> Option<Node<'a>> {
        if self.kind() != NodeKind::Object {
            return None;
        }
        if let Some((entry, key)) = self.index().find(self.entry(), hashes, is_at) {
            return Some(Node::new(self.object, entry, key + name.len() + 2));
        }
        if self.object.escaped { self.find_escaped(name) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn find_escaped(self, name: &str) -> Option<Node<'a>> {
        self.members().find(|(key, _)| *key == name).map(|(_, node)| node)
    }

    /// The value at a path of member names.
    pub fn at(self, path: &[&str]) -> Option<Node<'a>> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The elements of a list; nothing for other values.
    #[inline]
    pub fn elements(self) -> Elements<'a> {
        let end = if self.kind() == NodeKind::List { self.index().children_end(self.entry()) } else { 0 };
        Elements { parent: self, entry: self.entry() + 2, end }
    }

    /// The members of an object, in document order; nothing for other values.
    pub fn members(self) -> Members<'a> {
        let end = if self.kind() == NodeKind::Object { self.index().children_end(self.entry()) } else { 0 };
        Members { parent: self, entry: self.entry() + 2, end }
    }

    /// How many elements or members.
    pub fn len(self) -> usize {
        match self.kind() {
            NodeKind::List => self.elements().count(),
            NodeKind::Object => self.members().count(),
            NodeKind::Null | NodeKind::Bool | NodeKind::Number | NodeKind::String => 0,
        }
    }

    /// Whether there are no elements or members.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value's own JSON text.
    pub fn raw(self) -> &'a str {
        self.str().get(self.start()..self.end()).unwrap_or_default()
    }

    /// The value as an object of its own, which shares the text.
    pub fn to_object(self) -> Object {
        let (start, end) = (self.start(), self.end());
        let text = self.object.text.slice_ref(self.raw());
        let index = self.index().part(self.entry(), start, end - start);
        Object { text, index, escaped: self.object.escaped, cut: self.object.cut }
    }

    /// The value as a tree, for cold paths.
    pub fn to_value(self) -> serde_json::Value {
        serde_json::from_str(self.raw()).unwrap_or_default()
    }

    /// The bytes of a member with its key and one adjoining comma: what to cut to remove it.
    pub(super) fn member_range(self, name: &str) -> Option<Range<usize>> {
        let member = self.get(name)?;
        let start = self.index().offset(member.entry());
        let end = member.end();
        Some(match (self.text()[start - 1], self.text()[end]) {
            (_, b',') => start..end + 1,
            (b',', _) => start - 1..end,
            _ => start..end,
        })
    }

    /// Where the value's text ends.
    fn end(self) -> usize {
        match self.kind() {
            NodeKind::Null => self.start() + 4,
            NodeKind::Bool => self.start() + if self.first() == b't' { 4 } else { 5 },
            NodeKind::Number => self.start() + self.number_text().map_or(0, str::len),
            NodeKind::String => self.start() + self.raw_string().map_or(0, str::len) + 2,
            NodeKind::List | NodeKind::Object => self.last_child().map_or(self.start() + 1, Node::end) + 1,
        }
    }

    /// The last element or member of a container, found without a look at the others' text.
    fn last_child(self) -> Option<Node<'a>> {
        let end = self.index().children_end(self.entry());
        let (mut entry, mut last) = (self.entry() + 2, None);
        while entry < end {
            let (offset, next) = self.index().step(entry);
            last = Some((entry, offset));
            entry = next;
        }
        let (entry, offset) = last?;
        let key = if self.first() == b'{' { raw_string_at(self.str(), offset + 1).len() + 3 } else { 0 };
        Some(Node::new(self.object, entry, offset + key))
    }

    fn number_text(self) -> Option<&'a str> {
        let rest = &self.text()[self.start()..];
        let len = rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        self.str().get(self.start()..self.start() + len).filter(|it| !it.is_empty())
    }

    fn raw_string(self) -> Option<&'a str> {
        let start = self.start() + 1;
        (self.first() == b'"').then(|| raw_string_at(self.str(), start))
    }
}

/// What a quick look for a member finds.
enum Look {
    /// The position of its entry, and where its value begins.
    Found(usize, usize),
    /// It is not there, unless names are written with escapes.
    Absent,
    /// Only [`Node::find`] can tell.
    Unclear,
}

/// Looks for a member of the value at `entry` and `start`. The loops compare no more than first letters and hashes: what they
/// need stays in registers.
#[inline(always)]
fn look(words: &[u16], text: &[u8], entry: usize, start: usize, name: &Name) -> Look {
    if text.get(start) != Some(&b'{') {
        return Look::Absent;
    }
    let mut entry = entry + 2;
    let Some(second) = words.get(entry - 1) else { return Look::Absent };
    let Some(words) = words.get(..second.plain()) else { return Look::Absent };
    if second.is_marked() {
        let Some(entry) = index::entry_by_hash(words, name.hashes(), |_| true) else { return Look::Absent };
        let Some(key) = words.get(entry).map(|it| it.plain() + 1) else { return Look::Absent };
        return match name.begins_at(text, key) {
            Some(true) if name.is_short() || name.ends_at(text, key) => Look::Found(entry, key + name.len() + 2),
            _ => Look::Unclear,
        };
    }
    while let Some(word) = words.get(entry) {
        let key = word.plain() + 1;
        match name.begins_at(text, key) {
            Some(false) => {}
            Some(true) if name.is_short() || name.ends_at(text, key) => {
                return Look::Found(entry, key + name.len() + 2);
            }
            // Another name with the same first letters, or too near to the end of the text.
            _ => return Look::Unclear,
        }
        entry = match words.get(entry + 1) {
            Some(end) if word.is_marked() => end.plain(),
            _ => entry + 1,
        };
    }
    Look::Absent
}

/// The text of a string that begins at `start` (after its quote), escapes as written.
fn raw_string_at(text: &str, start: usize) -> &str {
    let bytes = text.as_bytes();
    let mut end = start;
    loop {
        end += plain_len(&bytes[end..]);
        match bytes.get(end) {
            // The escape and the character after it; what follows of `\u0000` is plain.
            Some(b'\\') => end += 2,
            _ => break,
        }
    }
    text.get(start..end).unwrap_or_default()
}

fn unescape(raw: &str) -> String {
    // Rare, and `serde_json` knows the rules; it refuses lone surrogates, which Go reads as U+FFFD.
    serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| {
        let mut bytes = Vec::new();
        let mut rest = raw;
        while let Some(at) = rest.find("\\u") {
            let (before, escape) = rest.split_at(at);
            let (escape, after) = escape.split_at(escape.len().min(6));
            let text = format!("\"{before}{escape}\"");
            match serde_json::from_str::<String>(&text) {
                Ok(text) => bytes.push(text),
                Err(_) => {
                    bytes.push(serde_json::from_str(&format!("\"{before}\"")).unwrap_or_default());
                    bytes.push("\u{fffd}".to_owned());
                }
            }
            rest = after;
        }
        bytes.push(serde_json::from_str(&format!("\"{rest}\"")).unwrap_or_default());
        bytes.concat()
    })
}

/// Iterates over a list's elements.
#[derive(Clone)]
pub struct Elements<'a> {
    parent: Node<'a>,
    entry: usize,
    end: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    #[inline]
    fn next(&mut self) -> Option<Node<'a>> {
        if self.entry >= self.end {
            return None;
        }
        let (offset, next) = self.parent.index().step(self.entry);
        let node = Node::new(self.parent.object, self.entry, offset);
        self.entry = next;
        Some(node)
    }
}

/// Iterates over an object's members: name and value.
#[derive(Clone)]
pub struct Members<'a> {
    parent: Node<'a>,
    entry: usize,
    end: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.entry >= self.end {
            return None;
        }
        let (offset, next) = self.parent.index().step(self.entry);
        let key = raw_string_at(self.parent.str(), offset + 1);
        let node = Node::new(self.parent.object, self.entry, offset + key.len() + 3);
        self.entry = next;
        let key = if key.contains('\\') { Cow::Owned(unescape(key)) } else { Cow::Borrowed(key) };
        Some((key, node))
    }
}
