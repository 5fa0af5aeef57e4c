//! Random schemas, and values that fit them or nearly do. All from a seed.

use serde_json::{Map, Value, json};

/// Requests of one case.
pub(crate) const REQUESTS: usize = 40;

/// Names that fields have: few, so that they meet.
const NAMES: [&str; 6] = ["a", "b", "size", "mode", "if", "x-y"];
/// Texts, with the odd ones that messages quote.
const TEXTS: [&str; 9] = ["", "a", "b", "abc", "ABC", "a b", "ü\"\n", "2024-01-01T00:00:00Z", "10"];

/// A generator of numbers (xorshift; quality does not matter here, repetition does).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.below(2);
        }
        random
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    /// True in one of `of` cases.
    pub(crate) fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// One of several.
    pub(crate) fn one_of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        let at = self.below(values.len());
        &values[at]
    }

    fn text(&mut self) -> Value {
        json!(self.one_of(&TEXTS))
    }
}

/// The schema of an object with `spec` and `status`.
pub(crate) fn root(random: &mut Random) -> Value {
    let mut spec = object(random, 3);
    if random.once_in(3) {
        spec["x-kubernetes-validations"] = json!([rule(random, &spec)]);
    }
    json!({"type": "object", "properties": {
        "spec": spec,
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }})
}

fn object(random: &mut Random, depth: usize) -> Value {
    let mut properties = Map::new();
    for _ in 0..=random.below(3) {
        let name = *random.one_of(&NAMES);
        properties.insert(name.to_owned(), schema(random, depth.saturating_sub(1)));
    }
    let mut found = json!({"type": "object"});
    if random.once_in(3) {
        found["required"] = json!([properties.keys().next()]);
    }
    if random.once_in(6) {
        found["x-kubernetes-preserve-unknown-fields"] = json!(true);
    }
    found["properties"] = Value::Object(properties);
    found
}

fn schema(random: &mut Random, depth: usize) -> Value {
    let mut found = match random.below(if depth == 0 { 5 } else { 9 }) {
        0 => json!({"type": "string"}),
        1 => json!({"type": "integer"}),
        2 => json!({"type": "boolean"}),
        3 => json!({"type": "number"}),
        4 => json!({"x-kubernetes-int-or-string": true}),
        5 => json!({"type": "object", "additionalProperties": schema(random, depth - 1)}),
        6 => list(random, depth),
        _ => object(random, depth),
    };
    limits(random, &mut found);
    if random.once_in(8) {
        found["nullable"] = json!(true);
    }
    if random.once_in(6) {
        found["default"] = value(random, &found.clone(), 6);
    }
    // Now and then something that no schema may have.
    if random.once_in(40) {
        let (name, odd) = random
            .one_of(&[
                ("type", json!("text")),
                ("uniqueItems", json!(true)),
                ("x-kubernetes-list-type", json!("map")),
                ("properties", json!({"q": {}})),
                ("pattern", json!("(")),
                ("not", json!({"type": "string"})),
            ])
            .clone();
        found[name] = odd;
    }
    found
}

fn limits(random: &mut Random, schema: &mut Value) {
    let choices: &[(&str, Value)] = &match schema["type"].as_str() {
        Some("string") => vec![
            ("minLength", json!(1)),
            ("maxLength", json!(2)),
            ("pattern", json!("^[a-z]*$")),
            ("enum", json!(["a", "b"])),
            ("format", json!("date-time")),
        ],
        Some("integer") => vec![
            ("minimum", json!(2)),
            ("maximum", json!(5)),
            ("format", json!("int32")),
            ("multipleOf", json!(2)),
            ("exclusiveMinimum", json!(true)),
        ],
        Some("number") => vec![("minimum", json!(0.5)), ("maximum", json!(5))],
        Some("array") => vec![("minItems", json!(1)), ("maxItems", json!(2))],
        Some("object") => vec![("minProperties", json!(1)), ("maxProperties", json!(2))],
        _ => return,
    };
    for (name, limit) in choices {
        if random.once_in(6) {
            schema[*name] = limit.clone();
        }
    }
}

fn list(random: &mut Random, depth: usize) -> Value {
    match random.below(4) {
        0 => json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
        1 => json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "v": schema(random, 0)}}}),
        _ => json!({"type": "array", "items": schema(random, depth - 1)}),
    }
}

/// A rule over the fields of an object, mostly one that compiles.
fn rule(random: &mut Random, spec: &Value) -> Value {
    let fields: Vec<&String> = spec["properties"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let name = fields.first().map_or("a", |it| it.as_str());
    let escaped = match name {
        "if" => "__if__",
        "x-y" => "x__dash__y",
        other => other,
    };
    let text = match random.below(6) {
        0 => format!("has(self.{escaped})"),
        1 => format!("!has(self.{escaped}) || self.{escaped} == oldSelf.{escaped}"),
        2 => format!("self.{escaped} == 'a'"),
        3 => format!("!has(self.{escaped}) || size(self.{escaped}) > 1"),
        4 => "self.absent".to_owned(),
        _ => format!("!has(self.{escaped}) || string(self.{escaped}) != 'b'"),
    };
    let mut rule = json!({"rule": text});
    if random.once_in(2) {
        rule["message"] = json!("it must not be");
    }
    if random.once_in(4) {
        rule["reason"] = json!(random.one_of(&["FieldValueForbidden", "FieldValueRequired", "Nothing"]));
    }
    if random.once_in(5) {
        rule["fieldPath"] = json!(format!(".{name}"));
    }
    rule
}

/// A value that fits a schema; in one of `wrong` places it may not.
pub(crate) fn value(random: &mut Random, schema: &Value, wrong: usize) -> Value {
    if random.once_in(wrong) {
        return random
            .one_of(&[
                json!(null),
                json!(3),
                json!("text"),
                json!(true),
                json!([1]),
                json!({"q": 1}),
                json!(1.5),
                json!(99_999_999_999_i64),
            ])
            .clone();
    }
    let fits = !random.once_in(wrong);
    match schema["type"].as_str() {
        Some("string") if schema["enum"].is_array() && fits => json!("a"),
        Some("string") if schema["format"] == "date-time" && fits => json!("2024-01-01T00:00:00Z"),
        Some("string") => random.text(),
        Some("integer") => json!(random.below(7)),
        Some("boolean") => json!(random.once_in(2)),
        Some("number") => random.one_of(&[json!(0.25), json!(1), json!(2.5), json!(9)]).clone(),
        Some("array") => {
            let many = random.below(4);
            (0..many).map(|_| value(random, &schema["items"], wrong)).collect()
        }
        Some("object") => fields(random, schema, wrong),
        _ => random.one_of(&[json!(1), json!("50%")]).clone(),
    }
}

fn fields(random: &mut Random, schema: &Value, wrong: usize) -> Value {
    let mut found = Map::new();
    if let Some(properties) = schema["properties"].as_object() {
        let required = |name: &str| schema["required"].as_array().is_some_and(|it| it.iter().any(|it| it == name));
        for (name, inner) in properties {
            if random.below(3) > 0 || (required(name) && !random.once_in(wrong)) {
                found.insert(name.clone(), value(random, inner, wrong));
            }
        }
    }
    if schema["additionalProperties"].is_object() {
        for name in ["k", "l"] {
            if random.once_in(2) {
                found.insert(name.to_owned(), value(random, &schema["additionalProperties"], wrong));
            }
        }
    }
    if random.once_in(wrong) {
        found.insert("unknown".to_owned(), random.text());
    }
    Value::Object(found)
}
