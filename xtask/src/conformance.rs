//! `docs/conformance.md`: how far each language agrees with its original's own tests, as measured.
//!
//! Each language's `tests/conformance.rs` prints its part with `KANON_TABLE=1`: rows `| folder | passed | failed | out of scope |`
//! and, for what does not pass, lines `- what: why`. This collects them; it knows no language.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use serde_json::Value;

const PAGE: &str = "docs/conformance.md";

const HEAD: &str = "\
<!-- Written by `cargo xtask conformance`; do not edit. -->

# Conformance

Each language runs its original's own tests: [cel-spec](https://github.com/google/cel-spec)'s for CEL,
[expr](https://github.com/expr-lang/expr) 1.17.8's for expr, [OPA](https://github.com/open-policy-agent/opa)'s for Rego. A case passes
when the value is the same, or when both fail at the same stage. Out of scope are cases that need what a policy language without
protobuf messages, network and chance has not.

The cases are not part of this repository: `KANON_CONFORMANCE` names their folder. `cargo xtask conformance` measures and writes this
page; `.ci/run` fails when it is not current, where the cases are at hand.
";

/// What one language printed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    name: String,
    rows: Vec<(String, [usize; 3])>,
    notes: Vec<String>,
}

/// Measures, and writes the page; with `check`, says whether the page is current instead. Without cases, neither.
pub(crate) fn run(root: &Path, check: bool) -> anyhow::Result<()> {
    let folder = corpus(root);
    if !folder.is_dir() {
        println!("conformance: no cases in `{}` (KANON_CONFORMANCE): the page is left as it is", folder.display());
        return Ok(());
    }
    let mut parts = Vec::new();
    for (package, manifest, executable) in executables(root)? {
        parts.push(measure(&package, &manifest, &executable, &folder)?);
    }
    if parts.is_empty() {
        bail!("no crate has tests/conformance.rs");
    }
    parts.sort_by_key(|it| it.name.to_lowercase());
    let page = render(&parts);
    let path = root.join(PAGE);
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    if check && old != page {
        bail!("`{PAGE}` is not current: run `cargo xtask conformance`");
    }
    if old != page {
        std::fs::write(&path, page).with_context(|| format!("failed to write `{PAGE}`"))?;
        println!("conformance: wrote {PAGE}");
    }
    Ok(())
}

fn corpus(root: &Path) -> PathBuf {
    std::env::var_os("KANON_CONFORMANCE").map_or_else(|| root.join("../shared/conformance"), PathBuf::from)
}

/// Builds the tests: package, its folder, and the executable, of each crate that has them.
fn executables(root: &Path) -> anyhow::Result<Vec<(String, PathBuf, PathBuf)>> {
    let words = ["test", "--workspace", "--locked", "--test", "conformance", "--no-run", "--message-format=json"];
    let built = Command::new("cargo").args(words).current_dir(root).stderr(std::process::Stdio::inherit()).output()?;
    if !built.status.success() {
        bail!("`cargo {}` ended with {}", words.join(" "), built.status);
    }
    let lines = String::from_utf8_lossy(&built.stdout).into_owned();
    let artifact = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
        let is_test = message["target"]["kind"] == serde_json::json!(["test"]);
        let executable = PathBuf::from(message["executable"].as_str().filter(|_| is_test)?);
        Some((folder.file_name()?.to_str()?.to_owned(), folder, executable))
    };
    Ok(lines.lines().filter_map(artifact).collect())
}

fn measure(package: &str, folder: &Path, executable: &Path, corpus: &Path) -> anyhow::Result<Part> {
    println!("conformance: {package} …");
    let mut command = Command::new(executable);
    command.args(["--nocapture", "--test-threads=1"]).current_dir(folder);
    command.env("KANON_TABLE", "1").env("KANON_CONFORMANCE", corpus);
    let ran = command.output().with_context(|| format!("failed to run the tests of `{package}`"))?;
    let out = String::from_utf8_lossy(&ran.stdout);
    if !ran.status.success() {
        bail!("the tests of `{package}` fail:\n{out}");
    }
    let part = read(package, &out);
    if part.rows.is_empty() {
        bail!("`{package}` prints no rows `| folder | passed | failed | out of scope |` with KANON_TABLE=1");
    }
    Ok(part)
}

fn read(package: &str, out: &str) -> Part {
    let name = match package.strip_prefix("kanon-").unwrap_or(package) {
        "cel" => "CEL".to_owned(),
        "rego" => "Rego".to_owned(),
        other => other.to_owned(),
    };
    let mut part = Part { name, ..Part::default() };
    for line in out.lines().map(str::trim) {
        // What a test prints first stands behind its name.
        let line = line.strip_prefix("test ").and_then(|it| it.split_once(" ... ")).map_or(line, |(_, rest)| rest);
        if let Some(note) = line.strip_prefix("- ") {
            part.notes.push(note.to_owned());
        }
        let cells: Vec<&str> = line.strip_prefix('|').unwrap_or_default().split('|').map(str::trim).collect();
        let numbers: Vec<usize> = cells.iter().skip(1).filter_map(|it| it.parse().ok()).collect();
        if let ([name, ..], [passed, failed, out]) = (cells.as_slice(), numbers.as_slice())
            && !name.starts_with('*')
        {
            part.rows.push(((*name).to_owned(), [*passed, *failed, *out]));
        }
    }
    part
}

fn render(parts: &[Part]) -> String {
    let mut out = HEAD.to_owned();
    let sum =
        |part: &Part| part.rows.iter().fold([0; 3], |sum, (_, it)| [sum[0] + it[0], sum[1] + it[1], sum[2] + it[2]]);
    out += "\n| language | passed | failed | out of scope | passed of those in scope |\n|---|---:|---:|---:|---:|\n";
    for part in parts {
        let [passed, failed, outside] = sum(part);
        // Rounded down: 100 % means all.
        let share = passed * 10_000 / (passed + failed).max(1);
        let (whole, rest) = (share / 100, share % 100);
        // Writing to a string does not fail.
        let _ = writeln!(out, "| {} | {passed} | {failed} | {outside} | {whole}.{rest:02} % |", part.name);
    }
    for part in parts {
        let _ =
            write!(out, "\n## {}\n\n| folder | passed | failed | out of scope |\n|---|---:|---:|---:|\n", part.name);
        for (name, [passed, failed, outside]) in &part.rows {
            let _ = writeln!(out, "| {name} | {passed} | {failed} | {outside} |");
        }
        if !part.notes.is_empty() {
            out += "\nWhat differs, and why:\n\n";
            for note in &part.notes {
                let _ = writeln!(out, "- {note}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_reasons_are_collected() {
        let out = "running 1 test\ntest x ... | basic | 41 | 1 | 0 |\n\
            | proto | 2 | 0 | 7 |\n| **all** | 43 | 1 | 7 |\n- `1 / 0`: the message differs\nok\n";
        let part = read("kanon-cel", out);
        let rows = vec![("basic".to_owned(), [41, 1, 0]), ("proto".to_owned(), [2, 0, 7])];
        assert_eq!(part, Part { name: "CEL".to_owned(), rows, notes: vec!["`1 / 0`: the message differs".to_owned()] });
        let page = render(&[part]);
        assert!(page.contains("\n| CEL | 43 | 1 | 7 | 97.72 % |\n"), "{page}");
        assert!(
            page.contains("\n| proto | 2 | 0 | 7 |\n") && page.ends_with("- `1 / 0`: the message differs\n"),
            "{page}"
        );
    }
}
