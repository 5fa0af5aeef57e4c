//! Random objects, and the stream of numbers that all randomness of the tests comes from.

use serde_json::{Value as Json, json};

/// SplitMix64: small, fast, the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a seed; mixed twice, so that those of neighbours are far apart.
    pub(crate) fn new(seed: u64) -> Random {
        let first = Random(seed).next();
        Random(Random(!first).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len() as u64) as usize]
    }
}

pub(super) const NAMES: &[&str] = &["a", "b", "name", "xs", "m"];
pub(super) const TEXTS: &[&str] = &["", "a", "ab", "b", "name", "x é", "1", "[", "xs"];

/// A scalar of JSON.
pub(super) fn scalar(random: &mut Random) -> Json {
    match random.below(12) {
        0 => Json::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(random.below(3) as i64 - 1),
        4 => json!(random.below(1000)),
        5 => json!(i64::MIN),
        6 => json!(u64::MAX),
        7 => json!(0.5),
        8 => json!(-1e300),
        _ => json!(random.pick(TEXTS)),
    }
}

fn json(random: &mut Random, depth: u64) -> Json {
    match random.below(5) {
        0 | 1 if depth > 0 => (0..random.below(4)).map(|_| json(random, depth - 1)).collect(),
        2 if depth > 0 => object_of(random, depth - 1),
        _ => scalar(random),
    }
}

fn object_of(random: &mut Random, depth: u64) -> Json {
    let mut members = serde_json::Map::new();
    for _ in 0..random.below(6) {
        let name = random.pick(NAMES);
        // Mostly what the name promises, so that programs get somewhere.
        let value = match name {
            _ if random.one_in(4) => json(random, depth),
            "a" => json!(random.below(5)),
            "b" => json!(random.one_in(2)),
            "name" => json!(random.pick(TEXTS)),
            "xs" if depth > 0 => (0..random.below(4)).map(|_| object_of(random, depth - 1)).collect(),
            "m" if depth > 0 => object_of(random, depth - 1),
            _ => scalar(random),
        };
        members.insert(name.to_owned(), value);
    }
    Json::Object(members)
}

/// An object whose `xs` is mostly a list of objects, as policies' objects have it.
pub(super) fn object(random: &mut Random) -> Json {
    let mut object = object_of(random, 3);
    if let Json::Object(members) = &mut object
        && !random.one_in(5)
    {
        let items = random.below(4);
        let of_objects = random.one_in(2);
        let item = |random: &mut Random| if of_objects { object_of(random, 2) } else { json(random, 1) };
        let items: Json = (0..items).map(|_| item(random)).collect();
        members.insert("xs".to_owned(), items);
        if random.one_in(2) {
            members.insert("m".to_owned(), object_of(random, 2));
        }
    }
    object
}
