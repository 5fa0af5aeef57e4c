//! From lld's map and the addresses that ran to a linker script. Functions are named by their crate and by the beginning of their
//! symbol (`-C symbol-mangling-version=v0`, where it says which instance of a generic function it is), without the hashes of crates;
//! where most of what shares a beginning ran, one name stands for all.

use std::collections::{BTreeMap, BTreeSet};

/// How many bytes that do not run are taken along rather than to name one more function.
const NAME_COST: u64 = 400;

/// Letters of a symbol after which a name may end for all that begin so.
const PART: usize = 6;

/// One function, as the linker placed it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Where it was compiled.
    origin: Origin,
    symbol: String,
    address: u64,
    size: u64,
}

impl Function {
    fn has_run(&self, ran: &BTreeSet<u64>) -> bool {
        ran.range(self.address..self.address + self.size).next().is_some()
    }
}

/// What a linker script names files by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// The binary's own crate.
    Own,
    /// A crate that is part of link-time optimisation.
    Crate(String),
    /// A library that is linked as it is.
    Library(String),
}

impl Origin {
    /// Of a file in the map: `…/kanon-HASH.CRATE-HASH.…o`, `…/libCRATE-HASH.rlib(…)`.
    fn of(file: &str) -> Option<Origin> {
        let path = file.split_once('(').map_or(file, |(path, _)| path);
        let name = path.rsplit('/').next()?;
        if let Some((library, _)) = name.strip_prefix("lib").and_then(|it| it.rsplit_once('-')) {
            return Some(Origin::Library(library.to_owned()));
        }
        let unit = name.strip_prefix("kanon-")?.split_once('.')?.1;
        Some(match unit.split_once('.')?.0.split_once('-') {
            Some((name, _)) => Origin::Crate(name.to_owned()),
            None => Origin::Own,
        })
    }

    /// The pattern of its files.
    fn pattern(&self) -> String {
        match self {
            Origin::Own => "*/kanon-????????????????.kanon.*".to_owned(),
            Origin::Crate(name) => format!("*.{name}-????????????????.*"),
            Origin::Library(name) => format!("*lib{name}-*"),
        }
    }
}

/// The functions in a map of lld: lines `VMA LMA SIZE ALIGN FILE:(.text.SYMBOL)`.
pub(super) fn functions(map: &str) -> Vec<Function> {
    let function = |line: &str| {
        let mut words = line.split_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let size = u64::from_str_radix(words.nth(1)?, 16).ok()?;
        let (file, section) = words.nth(1)?.rsplit_once(":(")?;
        let symbol = section.strip_suffix(')')?.strip_prefix(".text.")?;
        Some(Function { origin: Origin::of(file)?, symbol: symbol.to_owned(), address, size })
    };
    map.lines().filter_map(function).collect()
}

/// The bytes of the functions that ran.
pub(super) fn size_of(functions: &[Function], ran: &BTreeSet<u64>) -> u64 {
    functions.iter().filter(|it| it.has_run(ran)).map(|it| it.size).sum()
}

/// The bytes that the kernel maps for what ran: it maps sixteen pages around each one that is touched.
pub(super) fn mapped_by(ran: &BTreeSet<u64>) -> u64 {
    const AROUND: u64 = 16 * 4096;
    let blocks: BTreeSet<u64> = ran.iter().map(|it| it / AROUND).collect();
    blocks.len() as u64 * AROUND
}

/// The script that puts the functions in which an address ran before all others: at the beginning of `.text`, where the linker adds
/// what no script names. (Tools such as valgrind look for functions in that section alone.)
pub(super) fn script(functions: &[Function], ran: &BTreeSet<u64>) -> String {
    let mut origins: BTreeMap<&Origin, Node> = BTreeMap::new();
    for it in functions {
        let node = origins.entry(&it.origin).or_default();
        node.add(&parts(&it.symbol), it.size, it.has_run(ran));
    }
    let mut text = String::from(
        "/* Made by `cargo xtask layout`: the functions that a start runs, so that an idle process holds pages of these alone. */\n\
         SECTIONS\n{\n  .text :\n  {\n",
    );
    for (origin, node) in &mut origins {
        node.weigh();
        let mut names = Vec::new();
        node.names(&mut String::new(), &mut names);
        if !names.is_empty() {
            text.push_str(&format!("    {}(\n      .text.{})\n", origin.pattern(), names.join("\n      .text.")));
        }
    }
    text.push_str("  }\n}\nINSERT BEFORE .init;\n");
    text
}

/// A symbol cut where others may go on differently. The hash that every crate has in it (`Cs1a2B3c_4core`) is a `*`.
fn parts(symbol: &str) -> Vec<String> {
    let mut rest = symbol.split_once(".llvm.").map_or(symbol, |(it, _)| it);
    let mut parts = vec![String::new()];
    while let Some(next) = rest.chars().next() {
        let hash = hash(rest);
        let length = if hash > 0 { "Cs".len() + hash } else { next.len_utf8() };
        if let Some(last) = parts.last_mut() {
            last.push_str(if hash > 0 { "Cs*" } else { &rest[..length] });
        }
        rest = &rest[length..];
        if parts.last().is_some_and(|it| it.len() >= PART) {
            parts.push(String::new());
        }
    }
    parts.retain(|it| !it.is_empty());
    parts
}

/// The length of the crate's hash that follows `Cs` here, or 0.
fn hash(text: &str) -> usize {
    let Some(after) = text.strip_prefix("Cs") else { return 0 };
    let length = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if (8..=14).contains(&length) && after.as_bytes().get(length) == Some(&b'_') { length } else { 0 }
}

/// Functions that share the beginning of their symbols.
#[derive(Debug, Default)]
struct Node {
    size: u64,
    has_run: bool,
    /// The least that naming what ran costs: bytes that did not run, and names.
    cost: u64,
    below: BTreeMap<String, Node>,
}

impl Node {
    fn add(&mut self, parts: &[String], size: u64, has_run: bool) {
        self.size += size;
        self.has_run |= has_run;
        if let Some((first, rest)) = parts.split_first() {
            self.below.entry(first.clone()).or_default().add(rest, size, has_run);
        }
    }

    fn weigh(&mut self) {
        self.below.values_mut().for_each(Node::weigh);
        self.cost = if self.has_run { self.whole().min(self.apart()) } else { 0 };
    }

    /// What one name for all of them costs.
    fn whole(&self) -> u64 {
        self.size + NAME_COST
    }

    /// What naming them one by one costs.
    fn apart(&self) -> u64 {
        if self.below.is_empty() { u64::MAX } else { self.below.values().map(|it| it.cost).sum() }
    }

    fn names(&self, name: &mut String, names: &mut Vec<String>) {
        if !self.has_run {
            return;
        }
        if self.whole() <= self.apart() {
            let is_open = !self.below.is_empty() && !name.ends_with('*');
            names.push(if is_open { format!("{name}*") } else { name.clone() });
            return;
        }
        let length = name.len();
        for (part, node) in &self.below {
            name.push_str(part);
            node.names(name, names);
            name.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "             VMA              LMA     Size Align Out     In      Symbol
          100000           100000     5000    16 .text
          100000           100000     1000     1         /t/deps/kanon-00112233445566aa.kanon.f00-cgu.0.rcgu.o:(.text._RNvCs0123456789a_5kanon4main)
          101000           101000     1000     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._RNvNtCsA0123456789_4redb4tree3get)
          102000           102000      100     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._RNvNtCsA0123456789_4redb4page4read.llvm.77)
          102100           102100      100     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._RNvNtCsA0123456789_4redb4page5write)
          102200           102200       40     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._RNvNtCsA0123456789_4redb4page4free)
          103000           103000      100     1         /l/libstd-99.rlib(std-99.std.1-cgu.0.rcgu.o):(.text._RNvNtCs1a2B3c4D5e_3std2io4read)
          104000           104000     1000     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._RNvNtCsA0123456789_4redb4tree3put)
";

    #[test]
    fn what_ran_is_named_and_what_costs_little_comes_along() {
        let functions = functions(MAP);
        assert_eq!(functions.len(), 7);
        let ran = BTreeSet::from([0x100010, 0x101fff, 0x102004, 0x102100, 0x103000, 0x200000]);
        assert_eq!(size_of(&functions, &ran), 0x1000 + 0x1000 + 0x100 + 0x100 + 0x100);
        assert_eq!(mapped_by(&ran), 2 << 16);
        let script = script(&functions, &ran);
        let start = script.find("    *").expect("a pattern");
        assert_eq!(
            &script[start..],
            "    */kanon-????????????????.kanon.*(\n      .text.*)\n    *.redb-????????????????.*(\n      .text._RNvNtCs*_4redb4pa*\n      \
             .text._RNvNtCs*_4redb4tree3get)\n    *libstd-*(\n      .text.*)\n  }\n}\nINSERT BEFORE .init;\n"
        );
    }

    #[test]
    fn symbols_lose_what_changes_from_build_to_build() {
        for (symbol, want) in [
            ("_RNvNtCslNYArtu3iFV_5alloc5boxed14box_new", "_RNvNt|Cs*_5a|lloc5b|oxed14|box_ne|w"),
            ("_RNvCsA0123456789_4redb4read.llvm.1", "_RNvCs*|_4redb|4read"),
            ("unlikely._RNvCsA0123456789_4redb", "unlike|ly._RN|vCs*_4|redb"),
            ("memcpy", "memcpy"),
        ] {
            assert_eq!(parts(symbol).join("|"), want);
        }
    }
}
