//! The tables themselves: they parse, numbers are unique, every published type builds.

use std::collections::BTreeSet;

use super::*;

#[test]
fn embedded_tables_parse() {
    let parsed = parse::parse(FILES);
    assert!(parsed.is_ok(), "{}", parsed.err().map(|it| it.to_string()).unwrap_or_default());
}

#[test]
fn every_type_builds_and_no_protobuf_number_is_used_twice() {
    for name in tables().names() {
        let id = tables().find(name).unwrap();
        let def = tables().get(id);
        assert!(!def.text.is_empty(), "{name} has no text");
        let mut numbers = BTreeSet::new();
        for field in &def.fields {
            assert!(field.inline || !field.text.is_empty(), "{name}.{} has no text", field.name);
            if let Some(number) = field.number {
                assert!(numbers.insert(number), "{name}: number {number} twice");
            }
        }
        let schema = tables().schema(id);
        assert_eq!(schema.name.as_deref(), Some(name));
    }
}

#[test]
fn mistakes_name_file_and_line() {
    let check = |text: &'static str, want: &str| {
        let error = parse::parse(&[("x", text)]).err().map(|it| it.to_string()).unwrap_or_default();
        assert_eq!(error, want);
    };
    check("package p\nA \"a\"\n  b 1 string sett \"b\"", "tables/x.txt, line 3: unknown attribute `sett` of a field");
    check("package p\nA \"a\"\n  b 1 B \"b\"", "tables/x.txt, line 3: there is no type `B` in p");
    check("package p\nA \"a\"\n  b one string", "tables/x.txt, line 3: `one` is not a field number");
    check("package p\nA \"a\"\nA \"a\"", "tables/x.txt, line 3: `p.A` is there twice");
    check("package p\n  b 1 string", "tables/x.txt, line 2: a field before any type");
    check("package p\nA \"a\"\n  b 1 meta.B", "tables/x.txt, line 3: no `use meta …` above");
}
