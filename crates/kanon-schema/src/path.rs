//! Paths to fields as Kubernetes writes them: `spec.targets[0].name`, `metadata.labels[a.b/c]`.

use std::fmt;

/// A place in an object: a chain of steps, each borrowing the one before. Nothing is allocated until it is printed.
#[derive(Clone, Copy, Debug)]
pub struct FieldPath<'a> {
    parent: Option<&'a FieldPath<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    /// Text printed as it is, as first step.
    Text(&'a str),
    Child(&'a str),
    Key(&'a str),
    Index(usize),
}

impl<'a> FieldPath<'a> {
    /// The object itself; prints `<nil>` alone, and nothing before its children.
    pub const fn root() -> FieldPath<'a> {
        FieldPath { parent: None, step: Step::Root }
    }

    /// A path that is already text (`spec.validation.openAPIV3Schema`).
    pub const fn of(text: &'a str) -> FieldPath<'a> {
        FieldPath { parent: None, step: Step::Text(text) }
    }

    /// A member: `.name`.
    #[must_use]
    pub fn child(&'a self, name: &'a str) -> FieldPath<'a> {
        FieldPath { parent: Some(self), step: Step::Child(name) }
    }

    /// A map's entry: `[key]`.
    #[must_use]
    pub fn key(&'a self, key: &'a str) -> FieldPath<'a> {
        FieldPath { parent: Some(self), step: Step::Key(key) }
    }

    /// A list's element: `[0]`.
    #[must_use]
    pub fn index(&'a self, index: usize) -> FieldPath<'a> {
        FieldPath { parent: Some(self), step: Step::Index(index) }
    }

    /// Whether this is the object itself.
    pub fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }

    /// The text, empty for the object itself: how messages of schema validation name a place.
    pub fn name(&self) -> String {
        if self.is_root() { String::new() } else { self.to_string() }
    }

    fn write(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.parent.is_none_or(FieldPath::is_root);
        if let Some(parent) = self.parent {
            parent.write(out)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Text(text) => out.write_str(text),
            Step::Child(name) if first => out.write_str(name),
            Step::Child(name) => write!(out, ".{name}"),
            Step::Key(key) => write!(out, "[{key}]"),
            Step::Index(index) => write!(out, "[{index}]"),
        }
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { out.write_str("<nil>") } else { self.write(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_kubernetes_writes_them() {
        let root = FieldPath::root();
        assert_eq!(root.to_string(), "<nil>");
        assert_eq!(root.name(), "");
        let spec = root.child("spec");
        assert_eq!(spec.child("targets").index(0).child("name").to_string(), "spec.targets[0].name");
        assert_eq!(spec.child("labels").key("a.b/c").to_string(), "spec.labels[a.b/c]");
        assert_eq!(FieldPath::of("spec.x").child("y").to_string(), "spec.x.y");
    }
}
