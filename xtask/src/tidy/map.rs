//! The map and the change log: ARCHITECTURE.md has a row with the right rank for every crate, CHANGELOG.md an open section.

use super::{Finding, manifest::Manifest};

/// Rows look like "| `kanon-core` | 0 | …".
pub(super) fn check(manifests: &[Manifest], architecture: &str, changelog: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for it in manifests {
        let Some(rank) = it.rank else { continue };
        let head = format!("| `{}` |", it.name);
        let row = architecture.lines().find_map(|line| line.strip_prefix(&head));
        match row.and_then(|row| row.split('|').next()).map(str::trim) {
            None => findings.push(Finding::new("ARCHITECTURE.md", format!("has no row for `{}`", it.name))),
            Some(cell) if cell != rank.to_string() => {
                let message = format!("gives `{}` rank {cell}, its manifest rank {rank}", it.name);
                findings.push(Finding::new("ARCHITECTURE.md", message));
            }
            Some(_) => {}
        }
    }
    if !changelog.lines().any(|it| it.trim() == "## Unreleased") {
        findings.push(Finding::new("CHANGELOG.md", "has no section `## Unreleased`"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_missing_or_misplaced_on_the_map_are_found() {
        let manifest = |name: &str, rank| Manifest { name: name.to_owned(), rank: Some(rank), ..Manifest::default() };
        let manifests = [manifest("kanon-core", 0), manifest("kanon-plane", 2), manifest("kanon-web", 6)];
        let map = "| `kanon-core` | 0 | words |\n| `kanon-plane` | 3 | families |\n";
        let found: Vec<_> = check(&manifests, map, "# Changes\n").into_iter().map(|it| it.message).collect();
        let want = [
            "gives `kanon-plane` rank 3, its manifest rank 2",
            "has no row for `kanon-web`",
            "has no section `## Unreleased`",
        ];
        assert_eq!(found, want);
        assert_eq!(check(&manifests[..1], map, "## Unreleased\n"), []);
    }
}
