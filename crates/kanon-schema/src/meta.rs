//! `metadata` of every object, as a schema: what pruning, apply and OpenAPI know of it for custom resources.

use std::sync::{Arc, OnceLock};

use crate::schema::{ListType, MapType, PatchStrategy, Schema, Type};

/// Package of the types that all kinds share.
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// The schema of ObjectMeta, with list types (owner references by uid, finalizers as a set, managed fields atomic) and
/// patch strategies. Built at first use, then shared.
pub fn object_meta() -> &'static Arc<Schema> {
    static META: OnceLock<Arc<Schema>> = OnceLock::new();
    META.get_or_init(|| Arc::new(build()))
}

fn build() -> Schema {
    let fields = [
        ("annotations", texts("Free text by key, for tools; not used to select objects.")),
        ("creationTimestamp", time("When the server created the object.")),
        ("deletionGracePeriodSeconds", int64("Seconds the object may take to end after its deletion was asked for.")),
        ("deletionTimestamp", time("When the object is to go; set by the server once deletion was asked for.")),
        ("finalizers", finalizers()),
        ("generateName", text("Prefix of a name that the server completes.")),
        ("generation", int64("Counts changes of the wanted state.")),
        ("labels", texts("Short values by key, used to select objects.")),
        ("managedFields", managed_fields()),
        ("name", text("Name, unique among objects of the kind in the namespace.")),
        ("namespace", text("Namespace the object lives in.")),
        ("ownerReferences", owner_references()),
        ("resourceVersion", text("Version of the stored object, for comparing only.")),
        ("selfLink", text("Unused; kept for old clients.")),
        ("uid", text("Identity of this object over its life.")),
    ];
    let mut schema = object("ObjectMeta", "Name, labels and history that every object carries.", &[]);
    schema.properties = fields.into_iter().map(|(name, field)| (name.to_owned(), Arc::new(field))).collect();
    schema
}

fn scalar(kind: Type, format: &str, description: &str) -> Schema {
    Schema { kind, format: format.to_owned(), description: description.to_owned(), ..Schema::default() }
}

fn text(description: &str) -> Schema {
    scalar(Type::String, "", description)
}

fn int64(description: &str) -> Schema {
    scalar(Type::Integer, "int64", description)
}

fn boolean(description: &str) -> Schema {
    scalar(Type::Boolean, "", description)
}

fn time(description: &str) -> Schema {
    Schema { name: Some(format!("{META}.Time")), ..scalar(Type::String, "date-time", description) }
}

fn texts(description: &str) -> Schema {
    Schema { additional: Some(Arc::new(text(""))), ..scalar(Type::Object, "", description) }
}

fn object(name: &str, description: &str, required: &[&str]) -> Schema {
    Schema {
        name: Some(format!("{META}.{name}")),
        required: required.iter().map(|it| (*it).to_owned()).collect(),
        ..scalar(Type::Object, "", description)
    }
}

fn list(description: &str, list_type: ListType, patch: PatchStrategy, items: Schema) -> Schema {
    Schema { items: Some(Arc::new(items)), list_type, patch, ..scalar(Type::Array, "", description) }
}

fn finalizers() -> Schema {
    let patch = PatchStrategy { merge: true, ..PatchStrategy::default() };
    list("Names of those who must act before the object may go.", ListType::Set, patch, text(""))
}

fn owner_references() -> Schema {
    let mut items = object(
        "OwnerReference",
        "An object that this one belongs to and goes with.",
        &["apiVersion", "kind", "name", "uid"],
    );
    items.map_type = MapType::Atomic;
    let fields = [
        ("apiVersion", text("API version of the owner.")),
        ("blockOwnerDeletion", boolean("Whether the owner waits for this object in foreground deletion.")),
        ("controller", boolean("Whether the owner manages this object.")),
        ("kind", text("Kind of the owner.")),
        ("name", text("Name of the owner.")),
        ("uid", text("Identity of the owner.")),
    ];
    items.properties = fields.into_iter().map(|(name, field)| (name.to_owned(), Arc::new(field))).collect();
    let patch = PatchStrategy { merge: true, retain_keys: false, merge_key: Some("uid".to_owned()) };
    list("Objects that this one belongs to.", ListType::Map(vec!["uid".to_owned()]), patch, items)
}

fn managed_fields() -> Schema {
    let mut items = object("ManagedFieldsEntry", "Fields that one manager set, and how.", &[]);
    let fields_v1 = Schema {
        name: Some(format!("{META}.FieldsV1")),
        preserve_unknown: true,
        ..scalar(Type::Object, "", "The fields, as a tree.")
    };
    let fields = [
        ("apiVersion", text("Version of the kind the fields are written in.")),
        ("fieldsType", text("Form of the fields: FieldsV1.")),
        ("fieldsV1", fields_v1),
        ("manager", text("Who.")),
        ("operation", text("How: Apply or Update.")),
        ("subresource", text("The subresource it was written through, if any.")),
        ("time", time("When the entry last changed.")),
    ];
    items.properties = fields.into_iter().map(|(name, field)| (name.to_owned(), Arc::new(field))).collect();
    list("Who set which fields.", ListType::Atomic, PatchStrategy::default(), items)
}
