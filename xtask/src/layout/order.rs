//! From lld's map and the addresses that ran to a linker script. Functions are named by their crate and by the beginning of their
//! symbol, without the hashes that every build has anew; where most of what shares a beginning ran, one name stands for all.

use std::collections::{BTreeMap, BTreeSet};

/// How many bytes that do not run are taken along rather than to name one more function.
const NAME_COST: u64 = 600;

/// What the compiler puts before the symbol of a function that it was told hardly runs.
const COLD: &str = "unlikely.";

/// One function, as the linker placed it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Where it was compiled.
    origin: Origin,
    symbol: String,
    address: u64,
    size: u64,
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

/// The script that puts the functions in which an address ran before all others: at the beginning of `.text`, where the linker adds
/// what no script names. (Tools such as valgrind look for functions in that section alone.)
pub(super) fn script(functions: &[Function], ran: &BTreeSet<u64>) -> String {
    let mut origins: BTreeMap<&Origin, Node> = BTreeMap::new();
    for it in functions {
        let has_run = ran.range(it.address..it.address + it.size).next().is_some();
        let node = origins.entry(&it.origin).or_default();
        node.add(&parts(&it.symbol), it.size, has_run);
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

/// A symbol cut where others may go on differently. What differs from build to build is a `*`.
fn parts(symbol: &str) -> Vec<String> {
    let symbol = symbol.split_once(".llvm.").map_or(symbol, |(it, _)| it);
    let (cold, name) = symbol.strip_prefix(COLD).map_or(("", symbol), |it| (COLD, it));
    let Some(path) = name.strip_prefix("_ZN") else { return vec![without_disambiguators(symbol)] };
    let mut parts = vec![format!("{cold}_ZN")];
    let mut rest = path;
    while let Some((part, after)) = counted(rest) {
        // The hash, and nothing behind it but an `E`.
        if part.starts_with("17h") && counted(after).is_none() {
            parts.push("17h*".to_owned());
            return parts;
        }
        parts.extend(part.split_inclusive('$').map(str::to_owned));
        rest = after;
    }
    parts.push(rest.to_owned());
    parts
}

/// A name with its length before it, and what follows.
fn counted(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length: usize = text.get(..digits)?.parse().ok()?;
    text.split_at_checked(digits + length)
}

/// A symbol of the newer kind: its crates have a hash each (`Cs1a2B3c_4core`).
fn without_disambiguators(symbol: &str) -> String {
    let mut text = String::new();
    let mut rest = symbol;
    while let Some((before, after)) = rest.split_once("Cs") {
        let hash = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let is_hash = symbol.contains("_R") && (8..=14).contains(&hash) && after.as_bytes().get(hash) == Some(&b'_');
        text.push_str(before);
        text.push_str(if is_hash { "Cs*" } else { "Cs" });
        rest = if is_hash { &after[hash..] } else { after };
    }
    text.push_str(rest);
    text
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
          100000           100000     1000     1         /t/deps/kanon-00112233445566aa.kanon.f00-cgu.0.rcgu.o:(.text._ZN5kanon4main17h0123456789abcdefE)
          101000           101000     1000     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._ZN4redb4tree3get17h0123456789abcdefE)
          102000           102000      100     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._ZN4redb4page4read17h0123456789abcdefE.llvm.77)
          102100           102100      100     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._ZN4redb4page5write17h0123456789abcdefE)
          102200           102200       40     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._ZN4redb4page4free17h0123456789abcdefE)
          103000           103000      100     1         /l/libstd-99.rlib(std-99.std.1-cgu.0.rcgu.o):(.text._RNvNtCs1a2B3c4D5e_3std2io4read)
          104000           104000     1000     1         /t/deps/kanon-00112233445566aa.redb-0011223344556677.redb.1-cgu.0.rcgu.o:(.text._ZN4redb4tree3put17h0123456789abcdefE)
";

    #[test]
    fn what_ran_is_named_and_what_costs_little_comes_along() {
        let functions = functions(MAP);
        assert_eq!(functions.len(), 7);
        let script = script(&functions, &BTreeSet::from([0x100010, 0x101fff, 0x102004, 0x102100, 0x103000, 0x200000]));
        let start = script.find("    *").expect("a pattern");
        assert_eq!(
            &script[start..],
            "    */kanon-????????????????.kanon.*(\n      .text.*)\n    *.redb-????????????????.*(\n      .text._ZN4redb4page*\n      \
             .text._ZN4redb4tree3get*)\n    *libstd-*(\n      .text.*)\n  }\n}\nINSERT BEFORE .init;\n"
        );
    }

    #[test]
    fn symbols_lose_what_changes_from_build_to_build() {
        for (symbol, want) in [
            (
                "_ZN4core3ptr25drop_in_place$LT$a..B$GT$17h0123456789abcdefE",
                "_ZN|4core|3ptr|25drop_in_place$|LT$|a..B$|GT$|17h*",
            ),
            ("_ZN4redb4read17h0123456789abcdefE.llvm.1", "_ZN|4redb|4read|17h*"),
            ("_RNvNtCslNYArtu3iFV_5alloc5boxed14box_new_uninit", "_RNvNtCs*_5alloc5boxed14box_new_uninit"),
            ("unlikely._ZN4redb4read17h0123456789abcdefE", "unlikely._ZN|4redb|4read|17h*"),
            ("memcpy", "memcpy"),
        ] {
            assert_eq!(parts(symbol).join("|"), want);
        }
    }
}
