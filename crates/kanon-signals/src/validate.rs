//! From text to a policy that may come into force (spec/signal-approval 5.4): it parses, its package is right, the rules that
//! are asked for exist, nothing in it is unknown or unsafe, it answers signals that occur, and its own examples hold.

use kanon_core::{Digest, Now};
use kanon_lang::{Language, Options};
use serde_json::Value;

use crate::{
    api::TESTS_KEY,
    approve::Approver,
    classify::Classifier,
    place::Place,
    policy::{Compiled, Loaded, Surface, Trial},
};

/// Longest text of a policy.
pub(crate) const TEXT_LEN_MAX: usize = 256 << 10;

/// What checking a policy found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What keeps it from coming into force.
    pub problems: Vec<String>,
    /// What deserves a word.
    pub warnings: Vec<String>,
}

/// Checks a policy's text, and its own examples where it has some.
pub fn check(language: &dyn Language, surface: Surface, text: &[u8], tests: Option<&[u8]>, now: Now) -> Checked {
    let warnings = match surface {
        Surface::Classification => load::<Classifier>(language, text, tests, Place::BuiltIn, now).map(|it| it.warnings),
        Surface::Approval => load::<Approver>(language, text, tests, Place::BuiltIn, now).map(|it| it.warnings),
    };
    match warnings {
        Ok(warnings) => Checked { problems: Vec::new(), warnings },
        Err(problems) => Checked { problems, warnings: Vec::new() },
    }
}

/// Which of the two policies a text is, by its package.
pub fn surface_of(language: &dyn Language, text: &str) -> Option<Surface> {
    let package = language.outline(text, &Options::default()).ok()?.package;
    [Surface::Classification, Surface::Approval].into_iter().find(|it| it.packages().contains(&package.as_str()))
}

/// A policy that may come into force, or every reason why it may not.
pub(crate) fn load<Q: Compiled>(
    language: &dyn Language,
    text: &[u8],
    tests: Option<&[u8]>,
    place: Place,
    now: Now,
) -> Result<Loaded<Q>, Vec<String>> {
    let mut loaded = compile::<Q>(language, text, place)?;
    let Trial { mut problems, warnings } = loaded.queries.try_out(now);
    loaded.warnings.extend(warnings);
    if problems.is_empty() {
        problems = tests.map(|tests| examples(&loaded.queries, tests, now)).unwrap_or_default();
    }
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

/// The checks of the text alone.
pub(crate) fn compile<Q: Compiled>(
    language: &dyn Language,
    text: &[u8],
    place: Place,
) -> Result<Loaded<Q>, Vec<String>> {
    let one = |problem: String| Err(vec![problem]);
    if text.len() > TEXT_LEN_MAX {
        return one(format!("policy is {} bytes long, more than {TEXT_LEN_MAX}", text.len()));
    }
    let hash = Digest::of(&[text]);
    let text = std::str::from_utf8(text).map_err(|error| vec![format!("policy is not UTF-8: {error}")])?;
    let outline = language.outline(text, &Options::default()).map_err(|it| vec![it.to_string()])?;
    let packages = Q::SURFACE.packages();
    let package = outline.package.as_str();
    if !packages.contains(&package) {
        return one(format!("package is `{package}`: write `package {}`", packages[0]));
    }
    let has = |rule: &str| {
        let within = |name: &str| name.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        outline.rules.iter().any(|it| within(&it.name))
    };
    let missing = Q::required(package).iter().filter(|it| !has(it)).map(|it| format!("rule `{it}` is missing"));
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let queries = Q::compile(language, text, package).map_err(|it| vec![it.to_string()])?;
    let without = Q::defaulted().iter().filter(|it| !outline.has_default(it));
    let warnings = without.map(|it| format!("rule `{it}` has no default")).collect();
    Ok(Loaded { queries, text: text.into(), hash, place, warnings })
}

/// What of a policy's own examples does not hold.
fn examples<Q: Compiled>(queries: &Q, text: &[u8], now: Now) -> Vec<String> {
    let unreadable = |problem: &dyn std::fmt::Display| vec![format!("`{TESTS_KEY}` cannot be read: {problem}")];
    let cases: Value = match std::str::from_utf8(text).map(serde_saphyr::from_str) {
        Ok(Ok(cases)) => cases,
        Ok(Err(error)) => {
            let error = error.without_snippet().to_string();
            return unreadable(&error.lines().next().unwrap_or_default());
        }
        Err(error) => return unreadable(&error),
    };
    let Value::Array(cases) = cases else {
        return unreadable(&"it is not a list of `{name, input, expect}`");
    };
    cases.iter().enumerate().flat_map(|(at, case)| example(queries, at, case, now)).collect()
}

fn example<Q: Compiled>(queries: &Q, at: usize, case: &Value, now: Now) -> Vec<String> {
    let name = case["name"].as_str().map_or_else(|| format!("case {}", at + 1), str::to_owned);
    let Value::Object(expect) = &case["expect"] else {
        return vec![format!("`{TESTS_KEY}`: `{name}`: `expect` is not a map of rule names to values")];
    };
    match queries.answer(&case["input"], now) {
        Err(error) => vec![format!("`{TESTS_KEY}`: `{name}`: `input`: {error}")],
        Ok(answer) => {
            let wrong = expect.iter().filter(|(rule, want)| !says(&answer[rule.as_str()], want));
            wrong
                .map(|(rule, want)| {
                    let got = &answer[rule.as_str()];
                    format!("`{TESTS_KEY}`: `{name}`: `{rule}` is {got}, expected {want}")
                })
                .collect()
        }
    }
}

/// Whether a value is what is wanted; of objects, the members that are named.
fn says(value: &Value, want: &Value) -> bool {
    match (value, want) {
        (Value::Object(members), Value::Object(want)) => {
            want.iter().all(|(name, want)| members.get(name).is_some_and(|it| says(it, want)))
        }
        (Value::Number(number), Value::Number(want)) => number == want || number.as_f64() == want.as_f64(),
        (value, want) => value == want,
    }
}
