//! `metadata.managedFields`: who owns which fields.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::{Writer, element::Element, set::FieldSet};

/// Update entries beyond this number are folded into one (upstream's limit).
const MAX_UPDATE_ENTRIES: usize = 10;
/// The manager of folded entries.
const ANCIENT: &str = "ancient-changes";

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Everything else.
    Update,
}

impl Operation {
    /// The word in `operation`.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerEntry {
    /// Who.
    pub manager: String,
    /// How.
    pub operation: Operation,
    /// Version in which the fields are named.
    pub api_version: String,
    /// RFC 3339; when it last changed.
    pub time: Option<String>,
    /// The subresource it was written through; empty for the object itself.
    pub subresource: String,
    /// Which fields.
    pub fields: FieldSet,
}

impl ManagerEntry {
    /// Whether a write by `writer` goes to this entry: applies of one manager share one whatever the version.
    pub(super) fn is_of(&self, writer: &Writer<'_>, operation: Operation) -> bool {
        self.operation == operation
            && self.manager == writer.manager
            && self.subresource == writer.subresource
            && (operation == Operation::Apply || self.api_version == writer.api_version)
    }

    fn decode(json: &Value) -> Result<ManagerEntry, String> {
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err("operation must be `Apply` or `Update`".to_owned()),
        };
        let api_version = text("apiVersion");
        if api_version.is_empty() {
            return Err("apiVersion must not be empty".to_owned());
        }
        let fields_type = text("fieldsType");
        if fields_type != "FieldsV1" {
            return Err(format!("invalid fieldsType `{fields_type}`"));
        }
        let fields = FieldSet::from_fields_v1(json.get("fieldsV1").unwrap_or(&Value::Null))?;
        let time = Some(text("time")).filter(|it| !it.is_empty());
        Ok(ManagerEntry {
            manager: text("manager"),
            operation,
            api_version,
            time,
            subresource: text("subresource"),
            fields,
        })
    }

    fn encode(&self) -> Value {
        let writer = Writer {
            manager: &self.manager,
            api_version: &self.api_version,
            subresource: &self.subresource,
            now: self.time.as_deref().unwrap_or_default(),
        };
        encode(&writer, self.operation, self.fields.to_fields_v1())
    }
}

/// An entry in JSON; without a time where there is none.
fn encode(writer: &Writer<'_>, operation: Operation, fields: Value) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("manager", writer.manager.into());
    put("operation", operation.name().into());
    put("apiVersion", writer.api_version.into());
    put("fieldsType", "FieldsV1".into());
    put("fieldsV1", fields);
    if !writer.now.is_empty() {
        put("time", writer.now.into());
    }
    if !writer.subresource.is_empty() {
        put("subresource", writer.subresource.into());
    }
    Value::Object(members)
}

fn entries(object: &Value) -> Option<&Vec<Value>> {
    object.get("metadata")?.get("managedFields")?.as_array()
}

/// The entries of an object; none when it has none.
///
/// # Errors
/// What is wrong with one of them.
pub fn managers(object: &Value) -> Result<Vec<ManagerEntry>, String> {
    entries(object).into_iter().flatten().map(ManagerEntry::decode).collect()
}

/// Whether a request asks to forget all entries: an empty list, or one empty entry.
pub(super) fn is_reset(object: &Value) -> bool {
    match entries(object).map(Vec::as_slice) {
        Some([one]) => one.as_object().is_some_and(Map::is_empty),
        Some(_) | None => false,
    }
}

/// The object without its entries, which are often larger than all the rest: they are not copied first.
pub(super) fn without_managers(object: &Value) -> Value {
    let Value::Object(members) = object else { return object.clone() };
    let bare = |(name, value): (&String, &Value)| match (name.as_str(), value) {
        ("metadata", Value::Object(metadata)) => {
            let kept = metadata.iter().filter(|(name, _)| *name != "managedFields");
            (name.clone(), Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
        }
        _ => (name.clone(), value.clone()),
    };
    Value::Object(members.iter().map(bare).collect())
}

/// Takes the entries out of an object.
pub(super) fn remove_managers(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// Writes the entries into the object: those that own something, applies before updates, each by time.
pub(super) fn write_managers(object: &mut Value, mut entries: Vec<ManagerEntry>) {
    entries.retain(|it| !it.fields.is_empty());
    fold_oldest(&mut entries);
    // Times are RFC 3339 in UTC to the second: text order is time order.
    let order = |it: &ManagerEntry| {
        (it.operation, it.time.clone(), it.manager.clone(), it.api_version.clone(), it.subresource.clone())
    };
    entries.sort_by_cached_key(order);
    put_entries(object, entries.iter().map(ManagerEntry::encode).collect());
}

/// Writes the only entry of a new object: `fields` (as `fieldsV1`) of an update by `writer`.
pub(super) fn write_fresh(object: &mut Value, fields: Map<String, Value>, writer: &Writer<'_>) {
    let is_owned = !fields.is_empty();
    put_entries(
        object,
        is_owned.then(|| encode(writer, Operation::Update, Value::Object(fields))).into_iter().collect(),
    );
}

fn put_entries(object: &mut Value, entries: Vec<Value>) {
    let Some(members) = object.as_object_mut() else { return };
    let metadata = members.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else { return };
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), entries.into());
    }
}

/// Folds the oldest update entries, per API version, until there are no more than the limit.
fn fold_oldest(entries: &mut Vec<ManagerEntry>) {
    let updates = |entries: &[ManagerEntry]| entries.iter().filter(|it| it.operation == Operation::Update).count();
    while updates(entries) > MAX_UPDATE_ENTRIES {
        let mut oldest: Vec<usize> =
            (0..entries.len()).filter(|at| entries[*at].operation == Operation::Update).collect();
        oldest.sort_by(|a, b| {
            entries[*a].time.cmp(&entries[*b].time).then(entries[*a].manager.cmp(&entries[*b].manager))
        });
        let pair = oldest.iter().enumerate().find_map(|(rank, a)| {
            let version = &entries[*a].api_version;
            oldest[rank + 1..].iter().find(|b| &entries[**b].api_version == version).map(|b| (*a, *b))
        });
        let Some((first, second)) = pair else { return };
        let folded = entries[first].fields.union(&entries[second].fields);
        let entry = &mut entries[second];
        entry.fields = folded;
        entry.manager = ANCIENT.to_owned();
        entry.subresource.clear();
        entries.remove(first);
    }
}

/// Fields that no manager owns: they are the server's, or name the object.
pub(super) fn unowned() -> &'static FieldSet {
    static UNOWNED: LazyLock<FieldSet> = LazyLock::new(make_unowned);
    &UNOWNED
}

fn make_unowned() -> FieldSet {
    const METADATA: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let field = |it: &str| Element::Field(it.to_owned());
    let mut set = FieldSet::default();
    for name in ["apiVersion", "kind", "metadata"] {
        set.insert(&[field(name)]);
    }
    for name in METADATA {
        set.insert(&[field("metadata"), field(name)]);
    }
    set
}
