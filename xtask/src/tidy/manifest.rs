//! Manifests: every crate has a rank, its folder's name, the workspace's lints and versions, and depends downwards only.

use std::collections::BTreeMap;

use anyhow::Context;
use toml::{Table, Value};

use super::Finding;

/// What tidy needs of a manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Manifest {
    /// Folder relative to the checkout.
    pub(super) folder: String,
    /// `package.name`.
    pub(super) name: String,
    /// `package.metadata.kanon.rank`.
    pub(super) rank: Option<i64>,
    pub(super) description: String,
    pub(super) inherits_lints: bool,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dependency {
    name: String,
    /// Only tests need it.
    dev: bool,
    /// Its version comes from the root manifest.
    inherited: bool,
}

impl Manifest {
    /// Reads a manifest's text.
    pub(super) fn parse(folder: &str, text: &str) -> anyhow::Result<Manifest> {
        let table: Table = text.parse()?;
        let package = table.get("package").and_then(Value::as_table).context("it has no `[package]`")?;
        let word = |name| package.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rank = package.get("metadata").and_then(|it| it.get("kanon")?.get("rank")?.as_integer());
        let lints = table.get("lints").and_then(|it| it.get("workspace")?.as_bool());
        let mut linked = dependencies(&table);
        let targets = table.get("target").and_then(Value::as_table).into_iter().flatten();
        linked.extend(targets.filter_map(|(_, it)| it.as_table()).flat_map(dependencies));
        Ok(Manifest {
            folder: folder.to_owned(),
            name: word("name"),
            rank,
            description: word("description"),
            inherits_lints: lints == Some(true),
            dependencies: linked,
        })
    }
}

fn dependencies(table: &Table) -> Vec<Dependency> {
    let sections = [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];
    let mut all = Vec::new();
    for (section, dev) in sections {
        for (name, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
            let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
            all.push(Dependency { name: name.clone(), dev, inherited });
        }
    }
    all
}

/// Checks all manifests together.
pub(super) fn check(manifests: &[Manifest]) -> Vec<Finding> {
    let ranks: BTreeMap<_, _> = manifests.iter().map(|it| (it.name.as_str(), it.rank)).collect();
    manifests.iter().flat_map(|it| check_one(it, &ranks)).collect()
}

fn check_one(it: &Manifest, ranks: &BTreeMap<&str, Option<i64>>) -> Vec<Finding> {
    let place = format!("{}/Cargo.toml", it.folder);
    let mut findings = Vec::new();
    let mut find = |message: String| findings.push(Finding::new(&place, message));
    if it.folder.rsplit('/').next() != Some(it.name.as_str()) {
        find(format!("the folder of `{}` has another name", it.name));
    }
    if !it.inherits_lints {
        find("`lints.workspace = true` is missing".to_owned());
    }
    if it.description.is_empty() || it.description == "Being written." {
        find("the description does not say what the crate is for".to_owned());
    }
    let Some(rank) = it.rank else {
        find("`package.metadata.kanon.rank` is missing".to_owned());
        return findings;
    };
    for dependency in &it.dependencies {
        let name = &dependency.name;
        if !dependency.inherited {
            find(format!("`{name}` does not take its version from the root manifest: write `{name}.workspace = true`"));
        }
        let Some(lower) = ranks.get(name.as_str()).copied().flatten() else { continue };
        if lower > rank || (lower == rank && !dependency.dev) {
            let needed = if dependency.dev { "at most that rank, for tests" } else { "a lower rank" };
            find(format!("rank {rank} depends on `{name}` of rank {lower}: only {needed} is allowed"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: &str = "[package]\nname = \"kanon-core\"\ndescription = \"Words.\"\n[package.metadata.kanon]\nrank = 0\n[lints]\nworkspace = true\n";

    fn family(body: &str) -> String {
        CORE.replace("kanon-core", "kanon-family").replace("rank = 0", "rank = 3") + body
    }

    fn check_family(text: &str) -> Vec<String> {
        let plane = CORE.replace("kanon-core", "kanon-plane").replace("rank = 0", "rank = 2");
        let other = CORE.replace("kanon-core", "kanon-rules").replace("rank = 0", "rank = 3");
        let shell = CORE.replace("kanon-core", "kanon-web").replace("rank = 0", "rank = 6");
        let texts = [CORE, &plane, &other, &shell, text];
        let names = ["kanon-core", "kanon-plane", "kanon-rules", "kanon-web", "kanon-family"];
        let all = texts.iter().zip(names).map(|(text, name)| Manifest::parse(&format!("crates/{name}"), text).unwrap());
        check(&all.collect::<Vec<_>>()).into_iter().map(|it| it.message).collect()
    }

    #[test]
    fn crates_may_depend_downwards() {
        let body = "[dependencies]\nkanon-core.workspace = true\nkanon-plane = { workspace = true }\n\
                    [dev-dependencies]\nkanon-rules.workspace = true\nproptest.workspace = true\n";
        assert_eq!(check_family(&family(body)), Vec::<String>::new());
    }

    #[test]
    fn breaches_are_named() {
        let cases = [
            (family("[dependencies]\nkanon-rules.workspace = true\n"), "`kanon-rules` of rank 3: only a lower rank"),
            (family("[dependencies]\nkanon-web.workspace = true\n"), "`kanon-web` of rank 6: only a lower rank"),
            (family("[build-dependencies]\nkanon-web.workspace = true\n"), "`kanon-web` of rank 6"),
            (
                family("[dev-dependencies]\nkanon-web.workspace = true\n"),
                "`kanon-web` of rank 6: only at most that rank",
            ),
            (family("[target.'cfg(unix)'.dependencies]\nkanon-web.workspace = true\n"), "`kanon-web` of rank 6"),
            (family("[dependencies]\nbytes = \"1\"\n"), "`bytes` does not take its version from the root manifest"),
            (family("").replace("rank = 3", ""), "rank` is missing"),
            (family("").replace("[lints]\nworkspace = true", ""), "`lints.workspace = true` is missing"),
            (family("").replace("Words.", ""), "does not say what the crate is for"),
            (family("").replace("kanon-family", "kanon-other"), "the folder of `kanon-other` has another name"),
        ];
        for (text, want) in cases {
            let found = check_family(&text);
            assert!(
                matches!(found.as_slice(), [one] if one.contains(want)),
                "wanted `{want}`, found {found:?}\n{text}"
            );
        }
        assert!(Manifest::parse("x", "[workspace]").is_err());
    }
}
