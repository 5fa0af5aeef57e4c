//! Texts: every Rust file says what it is for and stays readable in size; no stubs, no skipped tests, nothing of a machine.

use super::Finding;

/// Hard stop for a Rust file, in lines; tests and tables may be longer.
const LINES_MAX: usize = 600;

/// What no Rust file may hold, and why. Written in two parts so that this list does not find itself.
const STUBS: [(&str, &str, &str); 4] = [
    ("#[ign", "ore", "a skipped test proves nothing: assert what happens today and say so"),
    ("to", "do!(", "a stub: what exists works"),
    ("unimple", "mented!(", "a stub: what exists works"),
    ("db", "g!(", "a trace left behind"),
];

/// Homes of people's machines.
const HOMES: [(&str, &str); 2] = [("/ho", "me/"), ("/Us", "ers/")];

/// Checks one text file. `forbidden` are paths of the machine that runs the check.
pub(super) fn check(path: &str, text: &str, forbidden: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.ends_with(".rs") {
        findings.extend(check_rust(path, text));
    }
    for (at, line) in text.lines().enumerate() {
        let place = || format!("{path}:{}", at + 1);
        if let Some(word) = forbidden.iter().find(|it| line.contains(it.as_str())) {
            findings.push(Finding::new(place(), format!("names a path of this machine: `{word}`")));
        } else if HOMES.iter().any(|(a, b)| names_home(line, &format!("{a}{b}"))) {
            findings.push(Finding::new(place(), "names somebody's home folder"));
        }
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            findings.push(Finding::new(place(), "has a conflict marker"));
        }
    }
    findings
}

/// Whether a home folder with a user's name stands in the line: `/srv/home/x` is another thing.
fn names_home(line: &str, home: &str) -> bool {
    let is_word = |it: char| it.is_alphanumeric() || matches!(it, '.' | '_' | '-' | '/' | '~' | '*' | '$' | '}');
    let starts = |at: usize| !line[..at].chars().next_back().is_some_and(is_word);
    let named = |at: usize| line[at + home.len()..].chars().next().is_some_and(|it| it.is_ascii_alphanumeric());
    line.match_indices(home).any(|(at, _)| starts(at) && named(at))
}

fn check_rust(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let first = text.lines().find(|it| !it.trim().is_empty()).unwrap_or_default();
    let rest = first.strip_prefix("//!").map(str::trim);
    // The tests of a module have its subject.
    let has_own_subject = path.rsplit('/').next() != Some("tests.rs");
    if has_own_subject && rest.is_none_or(|it| it.is_empty() || it == "Being written.") {
        findings.push(Finding::new(path, "does not begin with a module doc that says what it is for"));
    }
    let lines = text.lines().count();
    let may_be_long = path.split('/').any(|it| matches!(it, "tests" | "tables" | "tests.rs" | "tables.rs"));
    if lines > LINES_MAX && !may_be_long {
        findings.push(Finding::new(path, format!("has {lines} lines, more than {LINES_MAX}: is it two subjects?")));
    }
    for (at, line) in text.lines().enumerate() {
        for (head, tail, why) in STUBS {
            if line.contains(&format!("{head}{tail}")) {
                findings.push(Finding::new(format!("{path}:{}", at + 1), format!("holds `{head}{tail}`, {why}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(path, text, &["/builds/kanon".to_owned()]).into_iter().map(|it| it.to_string()).collect()
    }

    #[test]
    fn tidy_files_pass() {
        let long = "//! A table.\n".to_owned() + &"row\n".repeat(700);
        let cases = [
            ("src/a.rs", "//! What it is for.\n\nfn f() {}\n"),
            ("src/a/tests.rs", "use super::*;\n"),
            ("tests/long.rs", long.as_str()),
            ("src/tables/long.rs", &long),
            ("README.md", "no module doc here; ~/ho\u{6d}e/x is fine\n"),
            ("a.yaml", "hostPath: {path: /home}\n"),
        ];
        for (path, text) in cases {
            assert_eq!(messages(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn breaches_are_named() {
        let stub = |(head, tail, _): (&str, &str, &str)| format!("//! Doc.\n{head}{tail}\n");
        let home = format!("{}{}kim/x\n", HOMES[0].0, HOMES[0].1);
        let cases = [
            ("src/a.rs", "fn f() {}\n".to_owned(), "module doc"),
            ("src/a.rs", String::new(), "module doc"),
            ("src/a.rs", "//! Being written.\n".to_owned(), "module doc"),
            ("src/a.rs", "//! Doc.\n".to_owned() + &"x\n".repeat(600), "has 601 lines"),
            ("src/a.rs", stub(STUBS[0]), "src/a.rs:2: holds `#[ign"),
            ("src/a.rs", stub(STUBS[1]), "a stub"),
            ("src/a.rs", stub(STUBS[2]), "a stub"),
            ("src/a.rs", stub(STUBS[3]), "a trace"),
            ("x.md", "see /builds/kanon/target\n".to_owned(), "a path of this machine"),
            ("x.md", home, "somebody's home folder"),
            ("x.md", format!("{} HEAD\n", "<".repeat(7)), "conflict marker"),
        ];
        for (path, text, want) in cases {
            let found = messages(path, &text);
            assert!(matches!(found.as_slice(), [one] if one.contains(want)), "wanted `{want}`, found {found:?}");
        }
    }
}
