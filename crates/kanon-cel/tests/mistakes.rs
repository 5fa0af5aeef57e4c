//! What the parser and the checker say of mistakes, and where.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, sync::Arc};

use kanon_cel::Cel;
use kanon_lang::{Environment, Language, ObjectType, Options, Type};

fn environment() -> Environment {
    let fields = BTreeMap::from([
        ("replicas".to_owned(), Type::Int),
        ("name".to_owned(), Type::String),
        ("labels".to_owned(), Type::map(Type::String, Type::String)),
        ("ports".to_owned(), Type::list(Type::Int)),
    ]);
    let object = ObjectType { name: "Spec".to_owned(), fields };
    Environment::new(["self", "metadata"])
        .with_variable("spec", Type::Object(Arc::new(object)))
        .with_variable("count", Type::Int)
}

/// The mistakes of a text, each as `line:column message`, with `| help` behind.
fn mistakes(source: &str, options: &Options) -> Vec<String> {
    let Err(mistakes) = Cel::default().compile(source, &environment(), options) else { return Vec::new() };
    let show = |it: &kanon_lang::Diagnostic| {
        let (line, column) = mistakes.position(it.span);
        let help = it.help.as_ref().map_or(String::new(), |it| format!(" | {it}"));
        format!("{line}:{column} {}{help}", it.message)
    };
    mistakes.list.iter().map(show).collect()
}

#[test]
fn syntax_mistakes_are_worded_as_cel_go_words_them() {
    let expected = "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, \
                    STRING, BYTES, IDENTIFIER}";
    let cases = [
        ("", format!("1:1 Syntax error: mismatched input '<EOF>' {expected}")),
        ("1 +", format!("1:4 Syntax error: mismatched input '<EOF>' {expected}")),
        ("(1", "1:3 Syntax error: mismatched input '<EOF>' expecting ')'".into()),
        ("[1, 2", "1:6 Syntax error: mismatched input '<EOF>' expecting ']'".into()),
        ("1 2", "1:3 Syntax error: mismatched input '2' expecting <EOF>".into()),
        ("a ? b", "1:6 Syntax error: mismatched input '<EOF>' expecting ':'".into()),
        ("self.in", "1:6 Syntax error: mismatched input 'in' expecting IDENTIFIER".into()),
        ("self = 1", "1:6 Syntax error: token recognition error at: '=' | write `==` to compare".into()),
        ("self & self", "1:6 Syntax error: token recognition error at: '&' | write `&&`".into()),
        ("self == 'x", "1:9 Syntax error: token recognition error at: ''x' | close the string".into()),
        ("self @ 1", "1:6 Syntax error: token recognition error at: '@'".into()),
        ("'\\q'", "1:1 Syntax error: unable to unescape string: unknown escape sequence \\q".into()),
        ("9223372036854775808", "1:1 Syntax error: invalid int literal".into()),
        ("1e999", "1:1 Syntax error: invalid double literal".into()),
        ("var + 1", "1:1 reserved identifier: var | choose another name; as a member it is allowed".into()),
        ("has(self)", "1:5 invalid argument to has() macro | write `has(value.field)`".into()),
        ("[1].all(self.x, true)", "1:13 argument must be a simple name".into()),
        ("[1].map(1, 2)", "1:9 argument is not an identifier".into()),
        ("[1].all(x, x, true)", "1:12 the two variables have the same name".into()),
        ("cel.bind(1, 2, 3)", "1:10 cel.bind() variable names must be simple identifiers".into()),
    ];
    for (source, want) in cases {
        assert_eq!(mistakes(source, &Options::default()), [want], "{source}");
    }
}

#[test]
fn checking_finds_all_mistakes_with_their_places() {
    let cases: [(&str, &[&str]); 32] = [
        ("metdata.name", &["1:1 undeclared reference to 'metdata' (in container '') | did you mean `metadata`?"]),
        (
            "a + b",
            &["1:1 undeclared reference to 'a' (in container '')", "1:5 undeclared reference to 'b' (in container '')"],
        ),
        ("spec.replica > 1", &["1:5 undefined field 'replica' | did you mean `replicas`?"]),
        ("has(spec.nothing)", &["1:4 undefined field 'nothing'"]),
        ("spec.replicas.x", &["1:14 type 'int' does not support field selection"]),
        ("spec.ports.x", &["1:11 type 'list(int)' does not support field selection"]),
        ("spec.name > 1", &["1:11 found no matching overload for '_>_' applied to '(string, int)'"]),
        (
            "1 == 1.0",
            &[
                "1:3 found no matching overload for '_==_' applied to '(int, double)' | convert one of them: `double(…)`",
            ],
        ),
        ("\"true\" == true", &["1:8 found no matching overload for '_==_' applied to '(string, bool)'"]),
        ("1 == null", &["1:3 found no matching overload for '_==_' applied to '(int, null)'"]),
        ("'a' in 'b'", &["1:5 found no matching overload for '@in' applied to '(string, string)'"]),
        ("-'a'", &["1:1 found no matching overload for '-_' applied to '(string)'"]),
        ("!1", &["1:1 found no matching overload for '!_' applied to '(int)'"]),
        ("1 && true", &["1:3 found no matching overload for '_&&_' applied to '(bool, int)'"]),
        ("true ? 1 : 'a'", &["1:6 found no matching overload for '_?_:_' applied to '(bool, int, string)'"]),
        ("[1]['a']", &["1:4 found no matching overload for '_[_]' applied to '(list(int), string)'"]),
        ("{'a': 1}[1]", &["1:9 found no matching overload for '_[_]' applied to '(map(string, int), int)'"]),
        ("{1.5: 1}", &["1:2 unsupported key type 'double'"]),
        ("spec.name.startsWith(1)", &["1:21 found no matching overload for 'startsWith' applied to 'string.(int)'"]),
        (
            "spec.name.startswith('a')",
            &["1:21 undeclared reference to 'startswith' (in container '') | did you mean `startsWith`?"],
        ),
        (
            "startsWith(spec.name, 'a')",
            &["1:11 undeclared reference to 'startsWith' (in container '') | did you mean `value.startsWith(…)`?"],
        ),
        ("nothing(1)", &["1:8 undeclared reference to 'nothing' (in container '')"]),
        ("spec.ports.all(p, p)", &["1:19 found no matching overload for '_&&_' applied to '(bool, int)'"]),
        (
            "spec.ports.filter(p, p)",
            &["1:22 found no matching overload for '_?_:_' applied to '(int, list(int), list(int))'"],
        ),
        (
            "count.all(p, true)",
            &["1:1 expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"],
        ),
        ("count.optMap(p, p)", &["1:1 found no matching overload for 'optMap' applied to 'int.()'"]),
        ("[?1]", &["1:3 expected type 'optional_type(int)' but found 'int'"]),
        ("google.protobuf.Struct{x: 1}", &["1:1 undeclared reference to 'google.protobuf.Struct' (in container '')"]),
        ("[1].all(x, y > 1)", &["1:12 undeclared reference to 'y' (in container '')"]),
        // One mistake is told once, whatever is done with what it spoils.
        (
            "(nothing.a + 1).b.all(x, x > 'a' && x.y == count)",
            &["1:2 undeclared reference to 'nothing' (in container '')"],
        ),
        ("[1, 'a'].all(x, x > 1) && {'a': 1, 2: 'b'}.all(k, k != 1)", &[]),
        ("spec == null || self.a[0].b == 1 && self.c < 1.5", &[]),
    ];
    for (source, want) in cases {
        assert_eq!(mistakes(source, &Options::default()), want, "{source}");
        // Unchecked programs find out when they run.
        assert!(mistakes(source, &Options { unchecked: true, ..Options::default() }).is_empty(), "{source}");
    }
}

#[test]
fn conditions_must_be_boolean() {
    let options = Options { boolean: true, ..Options::default() };
    assert_eq!(mistakes("count + 1", &options), ["1:7 expected type 'bool' but found 'int'"]);
    assert!(mistakes("count > 1", &options).is_empty());
    assert!(mistakes("self.a", &options).is_empty());
}

#[test]
fn types_are_deduced() {
    let cases = [
        ("spec", "Spec"),
        ("spec.labels", "map(string, string)"),
        ("spec.labels['a']", "string"),
        ("spec.labels.?a", "optional_type(string)"),
        ("spec.labels[?'a']", "optional_type(string)"),
        ("spec.labels.?a.orValue('b')", "string"),
        ("spec.ports.map(p, string(p))", "list(string)"),
        ("spec.ports.map(p, p > 1, [p])", "list(list(int))"),
        ("spec.ports.transformMap(i, p, 'a')", "map(int, string)"),
        ("spec.labels.transformList(k, v, k + v)", "list(string)"),
        ("spec.labels.transformMapEntry(k, v, {v: 1})", "map(string, int)"),
        ("spec.labels.?a.optMap(x, size(x))", "optional_type(int)"),
        ("spec.labels.?a.optFlatMap(x, optional.of([x]))", "optional_type(list(string))"),
        ("cel.bind(x, count + 1, [x])", "list(int)"),
        ("[]", "list(dyn)"),
        ("[[], [1]]", "list(list(int))"),
        ("[1, 'a']", "list(dyn)"),
        ("{}", "map(dyn, dyn)"),
        ("self.a", "dyn"),
        ("type(1)", "type(int)"),
        ("int", "type(int)"),
        ("timestamp('2026-01-01T00:00:00Z') - timestamp('2025-01-01T00:00:00Z')", "duration"),
        ("true ? 1 : self.a", "dyn"),
        ("[1, 2, 3].sortBy(x, -x)", "list(int)"),
        ("[optional.of(1), optional.none()]", "list(optional_type(int))"),
        ("[optional.of(1), optional.of(dyn(1))]", "list(optional_type(dyn))"),
        ("[duration('0s'), null][0]", "duration"),
        ("[null, timestamp(0)][0]", "timestamp"),
        ("{'a': 1, 'b': 'c'}", "map(string, dyn)"),
        ("[[1], []]", "list(list(int))"),
        ("[] + [1]", "list(int)"),
        ("([] + [])[0]", "dyn"),
        ("[1, 2, 3].map(x, x > 1)", "list(bool)"),
        ("[].filter(x, x > 1)", "list(int)"),
        ("optional.none().orValue(1)", "int"),
        ("true ? [] : [1]", "list(int)"),
        ("true ? duration('1s') : null", "duration"),
        ("math.greatest(1, 2, 3)", "int"),
        ("dyn([1])[0]", "dyn"),
    ];
    for (source, want) in cases {
        assert_eq!(Cel::default().type_of(source, &environment()).unwrap(), want, "{source}");
    }
}

#[test]
fn large_types_stay_small() {
    // Each step doubles the type; it is not followed for ever.
    let source = (0..100).fold("[[self]]".to_owned(), |body, at| {
        let before = if at == 0 { "1".to_owned() } else { format!("x{}", at - 1) };
        format!("cel.bind(x{at}, [{{{before}: {before}}}], {body})")
    });
    assert_eq!(mistakes("{[1]: 1}", &Options::default()), ["1:2 unsupported key type 'list(int)'"]);
    let _ = mistakes(&source, &Options { unchecked: true, ..Options::default() });
}

#[test]
fn what_is_likely_a_mistake_is_found() {
    let cases: [(&str, &[&str]); 9] = [
        ("count > 1", &[]),
        ("1 + 1 == 2 && count > 1", &["1:1 this is always true"]),
        ("count > 1 || !('a' in ['b'])", &["1:14 this is always true"]),
        ("count == count", &["1:1 both sides are the same"]),
        ("spec.ports.all(p, count > 1)", &["1:16 `p` is never used"]),
        ("spec.ports.all(i, p, p > 1)", &[]),
        ("cel.bind(x, 1, count > 1)", &["1:10 `x` is never used"]),
        ("cel.bind(x, 1, cel.bind(x, x + 1, x > count))", &[]),
        ("nothing", &[]),
    ];
    for (source, want) in cases {
        let found = Cel::default().lint(source, &environment(), &Options::default());
        let found: Vec<String> = found.iter().map(|it| format!("1:{} {}", it.span.start + 1, it.message)).collect();
        assert_eq!(found, want, "{source}");
    }
}

#[test]
fn long_texts_end_in_an_answer() {
    // Whether they compile, and how many mistakes are told of those that do not.
    let cases = [
        ("undeclared_name_that_is_quite_long || ".repeat(2_500) + "true", Some(20)),
        ("a || ".repeat(19_000) + "true", Some(20)),
        ("self.matches('\\\\w{900}') || ".repeat(3_000) + "true", None),
        ("'x'.matches('[a-z]{1,1000}{1,3}') || ".repeat(2_000) + "true", None),
        (format!("[{}]", "1, ".repeat(30_000)), None),
        (format!("[{}]", "{}, ".repeat(24_000)), None),
        (format!("self == {{{}}}", (0..9_000).map(|it| format!("'{it}': 1, ")).collect::<String>()), None),
        ("self.a.b.c.d.e.f.g == self.a.b || ".repeat(2_900) + "true", None),
        ("1 + ".repeat(20_000) + "1", Some(1)),
        ("(".repeat(10_000) + &")".repeat(10_000), Some(1)),
        (" ".repeat(100_001), Some(1)),
    ];
    for (text, want) in cases {
        let result = Cel::default().compile(&text, &environment(), &Options::default());
        assert_eq!(result.err().map(|it| it.list.len()), want, "{}", &text[..30]);
    }
}

/// However many mistakes a text has, the first twenty are told, and nothing is looked at behind them.
#[test]
fn a_text_of_mistakes_costs_no_more_than_its_first_part() {
    for piece in
        ["unknown", "package", "99999999999999999999", "'\\z'", "[1].all(1, true)", "1 + ''", "nothing(1)", "self.f()"]
    {
        let text = format!("[{}]", [piece].repeat(90_000 / (piece.len() + 2)).join(", "));
        let Err(mistakes) = Cel::default().compile(&text, &environment(), &Options::default()) else {
            panic!("{piece} is no mistake");
        };
        assert!(mistakes.list.len() <= 20, "{piece}: {}", mistakes.list.len());
        let last = mistakes.list.iter().map(|it| it.span.end as usize).max().unwrap();
        assert!(last <= 21 * (piece.len() + 2), "{piece}: {last}");
    }
}
