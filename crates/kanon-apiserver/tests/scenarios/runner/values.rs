//! Values that steps use and save: `${name}`.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

/// Values by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(BTreeMap<String, Value>);

impl Values {
    pub(super) fn new(values: BTreeMap<String, Value>) -> Values {
        Values(values)
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// The text with every `${name}` replaced.
    ///
    /// # Errors
    /// A name that nobody saved.
    pub(super) fn text(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("`{text}` lacks a `}}`"))?;
            out.push_str(before);
            match self.find(name)? {
                Value::String(value) => out.push_str(&self.text(value)?),
                other => out.push_str(&self.value(other)?.to_string()),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The value with every `${name}` in its texts replaced; a text that is nothing else becomes the value itself.
    ///
    /// # Errors
    /// A name that nobody saved.
    pub(super) fn value(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => {
                let whole = text.strip_prefix("${").and_then(|it| it.strip_suffix('}')).filter(|it| !it.contains('}'));
                match whole {
                    Some(name) => self.value(self.find(name)?),
                    None => self.text(text).map(Value::String),
                }
            }
            Value::Array(items) => items.iter().map(|it| self.value(it)).collect(),
            Value::Object(members) => {
                let member = |(key, value): (&String, &Value)| Ok((self.text(key)?, self.value(value)?));
                members.iter().map(member).collect::<Result<Map<_, _>, String>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    fn find(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).ok_or_else(|| format!("nothing is called `{name}`"))
    }
}

/// A short name that no other run has.
pub(super) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis());
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("{:x}-{process:x}-{count:x}", time & 0xff_ffff)
}
