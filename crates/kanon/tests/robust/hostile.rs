//! Texts that somebody wrote to do harm: deep, long, with numbers at every edge, with patterns and loops made to be slow.

use kanon_lang::LanguageId;

/// How deep.
const DEEP: usize = 10_000;

/// How long, in bytes: a megabyte, less where the code under test is not optimised.
const LONG: usize = if cfg!(debug_assertions) { 1 << 18 } else { 1 << 20 };

const EDGES: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "0.1",
    "-0.0",
    "1e308",
    "1e309",
    "4.9e-324",
    "1e-400",
    "123456789012345678901234567890",
    "0x7fffffffffffffff",
    "0xffffffffffffffff",
    "0x10000000000000000",
];

/// All of them, with names.
pub(crate) fn texts(language: LanguageId) -> Vec<(String, String)> {
    let mut all = Vec::new();
    deep(language, &mut all);
    long(language, &mut all);
    numbers(language, &mut all);
    let own: &[(&str, &str)] = match language {
        LanguageId::EXPR => EXPR,
        LanguageId::CEL => CEL,
        _ => REGO,
    };
    all.extend(own.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    all
}

fn deep(language: LanguageId, all: &mut Vec<(String, String)>) {
    let common: &[(&str, &str, &str)] = &[
        ("(", "1", ")"),
        ("(", "", ""),
        ("[", "1", "]"),
        ("[", "", ""),
        ("{\"a\": ", "1", "}"),
        ("", "", ")"),
        ("", "1", " + 1"),
        ("", "true", " && true"),
        ("", "object", ".a"),
        ("", "input", "[0]"),
        ("", "object", "[object"),
        ("", "1", " < 2"),
        ("- ", "1", ""),
        ("!", "true", ""),
        ("f(", "1", ")"),
        ("size(", "1", ")"),
        ("count(", "1", ")"),
        ("\"", "", ""),
    ];
    let own: &[(&str, &str, &str)] = match language {
        LanguageId::EXPR => &[
            ("true ? 1 : ", "1", ""),
            ("let x = ", "1", "; x"),
            ("let x = 1; ", "x", ""),
            ("map([1], ", "#", ")"),
            ("any([1], {", "true", "})"),
            ("if true {", "1", "} else {2}"),
            ("if true {1} else ", "{1}", ""),
            ("", "object", "?.a"),
            ("", "object", "[1:]"),
            ("", "1", " | len()"),
            ("", "1", " ?? 2"),
            ("2 ** ", "1", ""),
            ("1..", "2", ""),
            ("not ", "true", ""),
        ],
        LanguageId::CEL => &[
            ("true ? 1 : ", "1", ""),
            ("true ? ", "1", " : 1"),
            ("[1].map(x, ", "x", ")"),
            ("[1].all(x, ", "true", ")"),
            ("cel.bind(x, ", "1", ", x)"),
            ("", "object", ".?a"),
            ("", "object", ".f()"),
            ("dyn(", "1", ")"),
            ("optional.of(", "1", ")"),
            ("{1: ", "1", "}"),
            ("A{a: ", "1", "}"),
        ],
        _ => &[
            ("[x | x := ", "1", "]"),
            ("{x | ", "true", "}"),
            ("{x: 1 | ", "true", "}"),
            ("not ", "true", ""),
            ("every x in [1] { ", "true", " }"),
            ("package a\n\np if { ", "true", " }"),
            ("package a\n\np := 1 ", "", " else := 1"),
            ("", "1", " with input as 1"),
            ("some x in ", "[1]", ""),
            ("", "1", " | 1"),
            ("", "1", "; 1"),
            ("package a\n", "", "\np := q\nq := p"),
        ],
    };
    for (open, core, close) in common.iter().chain(own) {
        let text = format!("{}{core}{}", open.repeat(DEEP), close.repeat(DEEP));
        all.push((format!("{DEEP} times `{}` and `{}`", open.trim(), close.trim()), text));
    }
    if language == LanguageId::REGO {
        let many = |line: &dyn Fn(usize) -> String| format!("package a\n\n{}", (0..DEEP).map(line).collect::<String>());
        all.push((
            "a chain of rules".to_owned(),
            many(&|at| format!("p{at} := p{}\n", at + 1)) + &format!("p{DEEP} := 1\n"),
        ));
        all.push(("a ring of rules".to_owned(), many(&|at| format!("p{at} := p{}\n", (at + 1) % DEEP))));
        all.push(("many clashing rules".to_owned(), many(&|at| format!("p := {at}\n"))));
    }
}

fn long(language: LanguageId, all: &mut Vec<(String, String)>) {
    let quote = '"';
    let head = if language == LanguageId::REGO { "package a\n\np := " } else { "" };
    for piece in
        ["a", "9", " ", "\n", "(", "\u{e9}", "\u{0}", "\"", "\\", "1+", "a.", "[],", "-", "!", "//", "#", "f(1)+", "\r"]
    {
        all.push((format!("very much of {piece:?}"), piece.repeat(LONG / piece.len())));
        all.push((
            format!("very much of {piece:?} after a head"),
            format!("{head}{}", piece.repeat(LONG / piece.len())),
        ));
    }
    all.push(("very much of text in quotes".to_owned(), format!("{head}{quote}{}{quote}", "a".repeat(LONG))));
    all.push(("very much of escapes".to_owned(), format!("{head}{quote}{}{quote}", "\\u00e9".repeat(LONG / 6))));
    all.push(("a list that is very long".to_owned(), format!("{head}[{}1]", "1,".repeat(LONG / 2))));
    all.push(("a map that is very long".to_owned(), format!("{head}{{{}\"z\": 1}}", "\"a\": 1,".repeat(LONG / 7))));
    all.push(("a name that is nearly one, and very long".to_owned(), format!("{head}object{}", "t".repeat(LONG))));
    let names: String = (0..LONG / 12).map(|at| format!("objec{at} + ")).collect();
    all.push(("very much of unknown names".to_owned(), format!("{head}{names}1")));
    all.push(("very much of logic".to_owned(), format!("{head}{}true", "object.n == 3 || ".repeat(LONG / 17))));
}

fn numbers(language: LanguageId, all: &mut Vec<(String, String)>) {
    for (at, a) in EDGES.iter().enumerate() {
        all.push((format!("the number {a}"), (*a).to_owned()));
        let b = EDGES[(at * 7 + 3) % EDGES.len()];
        for op in ["+", "-", "*", "/", "%", "<", "==", "**", ".."] {
            // Ranges of any size are loops, which have their own place.
            if op != ".." || language != LanguageId::REGO {
                all.push((format!("{a} {op} {b}"), format!("({a}) {op} ({b})")));
                all.push((format!("object.big {op} {a}"), format!("object.big {op} ({a})")));
            }
        }
        for call in [
            "int",
            "uint",
            "double",
            "string",
            "float",
            "abs",
            "ceil",
            "duration",
            "timestamp",
            "to_number",
            "bits.negate",
        ] {
            all.push((format!("{call}({a})"), format!("{call}({a})")));
        }
        all.push((format!("an index of {a}"), format!("[1, 2][{a}]")));
        all.push((format!("a slice from {a}"), format!("[1, 2, 3][{a}:{b}]")));
        all.push((format!("a part of text from {a}"), format!("'abc'.substring({a})")));
        all.push((format!("a text {a} times"), format!("repeat(\"x\", {a})")));
        all.push((format!("a shift by {a}"), format!("bitshl(1, {a})")));
    }
}

const EXPR: &[(&str, &str)] = &[
    ("a pattern with two stars", "repeat('a', 10000) matches '^(a+)+$'"),
    ("a pattern with nested counts", "'a' matches '((a{1,1000}){1,1000}){1,1000}'"),
    ("a pattern of classes", "'a' matches '\\\\pL{1,1000}\\\\pL{1,1000}'"),
    ("a pattern made late", "'aaaaaaaaaaaaaaaaaaaaaaaa' matches (repeat('(a?)', 500) + repeat('a', 500))"),
    ("loops in loops", "count(1..1000, count(1..1000, count(1..1000, true) > 0) > 0)"),
    ("a list of all", "len(1..1000000000)"),
    ("a text of all", "len(repeat('x', 1000000000))"),
    ("a text that doubles", "reduce(1..100, #acc + #acc, 'x')"),
    ("a list that doubles", "reduce(1..100, concat(#acc, #acc), [1])"),
    ("a value that nests", "reduce(1..4000, [#acc], [1]) | toJSON()"),
    ("a value that is wide when written", "reduce(1..40, [#acc, #acc], [1]) | toJSON()"),
    ("wide values compared", "reduce(1..40, {a: #acc, b: #acc}, {}) == reduce(1..40, {a: #acc, b: #acc}, {})"),
    ("groups of groups", "groupBy(1..5000, groupBy(1..5000, #))"),
    ("sorting with a loop", "sortBy(1..5000, count(1..5000, true))"),
    ("a needle in a long text", "count(1..10000, repeat('a', 10000) contains (repeat('a', 5000) + 'b'))"),
    ("a text cut into letters", "len(split(repeat('a', 40000), ''))"),
    ("JSON of JSON", "fromJSON(repeat('[', 20000) + repeat(']', 20000))"),
    ("replacing all", "replace(repeat('a', 1000), 'a', repeat('b', 1000))"),
    ("uniqueness of many", "uniq(1..20000)"),
    ("flattening the wide", "flatten(reduce(1..30, [#acc, #acc], [1]))"),
];

const CEL: &[(&str, &str)] = &[
    ("a pattern with two stars", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'.matches('^(a+)+$')"),
    ("a pattern with nested counts", "'a'.matches('((a{1,1000}){1,1000}){1,1000}')"),
    ("a pattern of classes", "'a'.matches('\\\\pL{1,1000}\\\\pL{1,1000}')"),
    (
        "loops in loops",
        "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a + b + c + d + e + f > 0))))))",
    ),
    (
        "lists that multiply",
        "[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [a, b, c, d, e])))))",
    ),
    ("a list of all", "lists.range(1000000000).size()"),
    (
        "a text that doubles",
        "cel.bind(a, 'xxxxxxxxxx', cel.bind(b, a+a+a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b+b+b, cel.bind(d, c+c+c+c+c+c+c+c+c+c, cel.bind(e, d+d+d+d+d+d+d+d+d+d, cel.bind(f, e+e+e+e+e+e+e+e+e+e, f+f+f+f+f+f+f+f+f+f))))))",
    ),
    (
        "wide values compared",
        "cel.bind(a, [1], cel.bind(b, [a,a,a,a,a,a,a,a], cel.bind(c, [b,b,b,b,b,b,b,b], cel.bind(d, [c,c,c,c,c,c,c,c], cel.bind(e, [d,d,d,d,d,d,d,d], cel.bind(f, [e,e,e,e,e,e,e,e], cel.bind(g, [f,f,f,f,f,f,f,f], cel.bind(h, [g,g,g,g,g,g,g,g], h == h || [h] == [[h]]))))))))",
    ),
    (
        "a value that is wide when written",
        "cel.bind(a, [1], cel.bind(b, [a,a,a,a,a,a,a,a], cel.bind(c, [b,b,b,b,b,b,b,b], cel.bind(d, [c,c,c,c,c,c,c,c], cel.bind(e, [d,d,d,d,d,d,d,d], cel.bind(f, [e,e,e,e,e,e,e,e], cel.bind(g, [f,f,f,f,f,f,f,f], [g,g,g,g,g,g,g,g])))))))",
    ),
    (
        "formats of the wide",
        "cel.bind(a, [1], cel.bind(b, [a,a,a,a,a,a,a,a], cel.bind(c, [b,b,b,b,b,b,b,b], cel.bind(d, [c,c,c,c,c,c,c,c], cel.bind(e, [d,d,d,d,d,d,d,d], cel.bind(f, [e,e,e,e,e,e,e,e], '%s'.format([[f,f,f,f,f,f,f,f]])))))))",
    ),
    ("a format with huge precision", "'%.1000000000f %.99999999999999999999e'.format([1.0, 1.0])"),
    (
        "times at the edges",
        "timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns') > timestamp('0001-01-01T00:00:00Z') - duration('1ns')",
    ),
    ("a duration beyond all", "duration('99999999999999999999h') == duration('-9223372036854775808ns')"),
    (
        "quantities at the edges",
        "quantity('9223372036854775807E').add(quantity('9223372036854775807Ei')) == quantity('1e-1000000000')",
    ),
    ("versions at the edges", "semver('99999999999999999999999.0.0-' + 'a.a.a.a') < semver('1.0.0')"),
    (
        "addresses at the edges",
        "cidr('::/0').containsCIDR(cidr('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128')) && ip('::ffff:1.2.3.4').isUnspecified()",
    ),
    (
        "macros in macros",
        "[1].map(x, [x].map(x, [x].map(x, [x].map(x, [x].map(x, [x].map(x, [x].map(x, [x].map(x, x))))))))",
    ),
    (
        "absorbed errors in loops",
        "[1,2,3,4,5,6,7,8].exists(a, [1,2,3,4,5,6,7,8].exists(b, [1,2,3,4,5,6,7,8].exists(c, [1,2,3,4,5,6,7,8].exists(d, 1 / 0 > a + b + c + d))))",
    ),
];

const REGO: &[(&str, &str)] = &[
    ("a pattern with two stars", "regex.match(\"^(a+)+$\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\")"),
    ("a pattern with nested counts", "regex.match(\"((a{1,1000}){1,1000}){1,1000}\", \"a\")"),
    ("a glob made to be slow", "glob.match(\"*a*a*a*a*a*a*a*a*a*b\", [], \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")"),
    ("a rule about itself", "package a\n\nimport rego.v1\n\np := x if x := p\n"),
    ("rules about each other", "package a\n\nimport rego.v1\n\np if q\n\nq if not p\n"),
    ("a function about itself", "package a\n\nimport rego.v1\n\nf(x) := f(x)\n\np := f(1)\n"),
    ("unsafe variables", "package a\n\nimport rego.v1\n\np contains x if y\n"),
    ("numbers far out", "1e400 * 1e400 == -1e400"),
    ("a text many times", "concat(\"\", [\"a\", \"b\"]) == strings.reverse(sprintf(\"%1000000d\", [1]))"),
    ("a date far out", "time.add_date(9223372036854775807, 9223372036854775807, 1, 1)"),
    ("a network of all", "count(net.cidr_expand(\"10.0.0.0/30\")) == 4"),
    ("JSON of JSON", "json.unmarshal(\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\")"),
];
