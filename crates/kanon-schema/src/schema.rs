//! The schema model: one node a field, shared where a type is used twice.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde_json::Value;

/// What one place in an object may hold. Structural in Kubernetes' sense: types and members are stated once, outside of
/// `allOf` and its kin, which only constrain values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// The published name of a type that is shared (`io.k8s.api.core.v1.PodSpec`); OpenAPI refers to it by this.
    pub name: Option<String>,
    /// JSON type.
    pub kind: Type,
    /// One line for `kubectl explain`.
    pub description: String,
    /// `int32`, `date-time`, … as OpenAPI spells it; empty when none.
    pub format: String,
    /// Whether `null` is kept (else it is treated as absent).
    pub nullable: bool,
    /// Filled in when the member is absent.
    pub default: Option<Value>,
    /// Declared members of an object.
    pub properties: BTreeMap<String, Arc<Schema>>,
    /// Members that must be there.
    pub required: Vec<String>,
    /// What undeclared members hold (a map); `None` when they are unknown fields.
    pub additional: Option<Arc<Schema>>,
    /// What a list's elements hold.
    pub items: Option<Arc<Schema>>,
    /// How lists merge in server-side apply.
    pub list_type: ListType,
    /// How objects merge in server-side apply.
    pub map_type: MapType,
    /// How strategic merge treats this member, built-in kinds only.
    pub patch: PatchStrategy,
    /// `x-kubernetes-preserve-unknown-fields`: unknown members are kept.
    pub preserve_unknown: bool,
    /// `x-kubernetes-embedded-resource`: the object has apiVersion, kind and metadata of its own.
    pub embedded_resource: bool,
    /// Constraints on the value.
    pub rules: Constraints,
    /// `x-kubernetes-validations`.
    pub validations: Vec<Rule>,
    /// Field number in the kind's protobuf message; built-in kinds only.
    pub proto: Option<u32>,
}

/// JSON types of a structural schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Nothing is said: any value (only under `preserve_unknown`).
    #[default]
    Any,
    /// `object`
    Object,
    /// `array`
    Array,
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `number`
    Number,
    /// `boolean`
    Boolean,
    /// `x-kubernetes-int-or-string`
    IntOrString,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// Replaced as a whole.
    #[default]
    Atomic,
    /// Scalars, each once.
    Set,
    /// Objects told apart by these members.
    Map(Vec<String>),
}

/// `x-kubernetes-map-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapType {
    /// Merged member by member.
    #[default]
    Granular,
    /// Replaced as a whole.
    Atomic,
}

/// `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// `merge`: lists merge instead of being replaced.
    pub merge: bool,
    /// `retainKeys`: the patch may name the members that stay (`$retainKeys`).
    pub retain_keys: bool,
    /// The member that tells elements of a merged list apart; `None` for lists of scalars.
    pub merge_key: Option<String>,
}

/// The constraints of one place. Most places have none, and then this is one word: schemas are most of what an idle server keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints(Option<Box<ValueRules>>);

impl From<ValueRules> for Constraints {
    fn from(rules: ValueRules) -> Constraints {
        Constraints((rules != NONE).then(|| Box::new(rules)))
    }
}

impl Deref for Constraints {
    type Target = ValueRules;

    fn deref(&self) -> &ValueRules {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Constraints {
    fn deref_mut(&mut self) -> &mut ValueRules {
        self.0.get_or_insert_default()
    }
}

static NONE: ValueRules = ValueRules {
    one_of_values: Vec::new(),
    minimum: None,
    exclusive_minimum: false,
    maximum: None,
    exclusive_maximum: false,
    multiple_of: None,
    min_length: None,
    max_length: None,
    pattern: None,
    min_items: None,
    max_items: None,
    unique_items: false,
    min_properties: None,
    max_properties: None,
    all_of: Vec::new(),
    any_of: Vec::new(),
    one_of: Vec::new(),
    not: None,
};

/// Constraints on values, with OpenAPI's names and meanings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueRules {
    /// Allowed values.
    pub one_of_values: Vec<Value>,
    /// Lower bound.
    pub minimum: Option<f64>,
    /// Whether the lower bound itself is refused.
    pub exclusive_minimum: bool,
    /// Upper bound.
    pub maximum: Option<f64>,
    /// Whether the upper bound itself is refused.
    pub exclusive_maximum: bool,
    /// The value must be a multiple of this.
    pub multiple_of: Option<f64>,
    /// Fewest characters.
    pub min_length: Option<u64>,
    /// Most characters.
    pub max_length: Option<u64>,
    /// Regular expression (RE2) that must match somewhere.
    pub pattern: Option<String>,
    /// Fewest elements.
    pub min_items: Option<u64>,
    /// Most elements.
    pub max_items: Option<u64>,
    /// Elements must differ.
    pub unique_items: bool,
    /// Fewest members.
    pub min_properties: Option<u64>,
    /// Most members.
    pub max_properties: Option<u64>,
    /// All of these hold.
    pub all_of: Vec<Schema>,
    /// At least one of these holds.
    pub any_of: Vec<Schema>,
    /// Exactly one of these holds.
    pub one_of: Vec<Schema>,
    /// This does not hold.
    pub not: Option<Box<Schema>>,
}

/// One entry of `x-kubernetes-validations`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// CEL expression over `self` and `oldSelf`; true is good.
    pub rule: String,
    /// What to say when it is false.
    pub message: Option<String>,
    /// CEL expression that makes the message.
    pub message_expression: Option<String>,
    /// `FieldValueInvalid` (default), `FieldValueForbidden`, `FieldValueRequired`, `FieldValueDuplicate`.
    pub reason: Option<String>,
    /// Path of the field to blame, below the place of the rule.
    pub field_path: Option<String>,
    /// Whether `oldSelf` is an optional, and the rule runs on create too.
    pub optional_old_self: bool,
}
