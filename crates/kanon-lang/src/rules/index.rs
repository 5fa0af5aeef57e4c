//! Programs by what their guards ask of one subject.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::{
    ir::{GuardTest, Subject, TextTest},
    value::Value,
};

/// Programs that are true only if one subject passes a test, by the test.
pub(super) struct Index {
    pub(super) subject: Subject,
    /// The program whose subject it is.
    pub(super) reader: u32,
    /// Who writes rules chooses what is in it, and whoever is asked about only looks: nothing to protect from collisions.
    texts: HashMap<Box<str>, Vec<u32>, FixedState>,
    parts: Vec<(TextTest, Box<str>, u32)>,
    /// By `false` and `true`.
    bools: [Vec<u32>; 2],
    nil: Vec<u32>,
    /// Those that ask for text: their tests may fail where the value is something else.
    text: Vec<u32>,
    /// All but those that ask for nil: comparing what is large with anything may be too much.
    typed: Vec<u32>,
    /// All of them.
    all: Vec<u32>,
}

impl Index {
    pub(super) fn new(subject: Subject, reader: u32) -> Index {
        Index {
            subject,
            reader,
            texts: HashMap::default(),
            parts: Vec::new(),
            bools: [Vec::new(), Vec::new()],
            nil: Vec::new(),
            text: Vec::new(),
            typed: Vec::new(),
            all: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, program: u32, test: &GuardTest) {
        self.all.push(program);
        if let GuardTest::OneOf(_) | GuardTest::Text(..) = test {
            self.text.push(program);
        }
        if !matches!(test, GuardTest::Nil) {
            self.typed.push(program);
        }
        match test {
            GuardTest::Bool(bool) => self.bools[usize::from(*bool)].push(program),
            GuardTest::OneOf(texts) => {
                // Among texts, nil may be taken for the empty one.
                if texts.iter().any(|it| it.is_empty()) {
                    self.nil.push(program);
                }
                for text in texts {
                    let list = self.texts.entry(text.clone()).or_default();
                    if list.last() != Some(&program) {
                        list.push(program);
                    }
                }
            }
            GuardTest::Text(test, part) => self.parts.push((*test, part.clone(), program)),
            GuardTest::Nil => self.nil.push(program),
        }
    }

    /// Appends the programs that may be true, or fail, where this is a value of the subject.
    pub(super) fn find(&self, value: Value<'_>, candidates: &mut Vec<u32>) {
        match value {
            Value::Str(text) => {
                if !self.texts.is_empty() {
                    candidates.extend(self.texts.get(text).into_iter().flatten());
                }
                candidates.extend(self.parts.iter().filter(|it| it.0.holds(text, &it.1)).map(|it| it.2));
            }
            Value::Bool(bool) => {
                candidates.extend_from_slice(&self.bools[usize::from(bool)]);
                candidates.extend_from_slice(&self.text);
            }
            value if value.is_nil() => candidates.extend_from_slice(&self.nil),
            Value::Int(_) | Value::UInt(_) | Value::Float(_) => candidates.extend_from_slice(&self.text),
            Value::Node(_) | Value::List(_) | Value::Map(_) => candidates.extend_from_slice(&self.typed),
            _ => self.cannot_be_told(candidates),
        }
    }

    /// Appends all: where the subject cannot be read, each program has its own error.
    pub(super) fn cannot_be_told(&self, candidates: &mut Vec<u32>) {
        candidates.extend_from_slice(&self.all);
    }
}
