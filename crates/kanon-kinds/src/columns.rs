//! Columns of printed tables (spec/kubernetes-api.md 4.10), read from `tables/columns.txt`.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::BuiltinKind;

/// A column of a printed table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `boolean`, `date`.
    pub type_: &'static str,
    /// OpenAPI format: `name` for the column that identifies the row, else empty.
    pub format: &'static str,
    /// One line of text.
    pub description: &'static str,
    /// 0: always shown; 1: with `-o wide`.
    pub priority: i32,
}

/// What kinds without columns of their own print, as a real server does.
const PLAIN: [Column; 2] = [
    Column { name: "Name", type_: "string", format: "name", description: "Name of the object.", priority: 0 },
    Column { name: "Created At", type_: "date", format: "", description: "When it was created.", priority: 0 },
];

static COLUMNS: LazyLock<BTreeMap<&'static str, Vec<Column>>> =
    LazyLock::new(|| parse(include_str!("../tables/columns.txt")).expect("the embedded table parses (tested)"));

/// The columns of a kind, in order.
pub fn columns(kind: &BuiltinKind) -> &'static [Column] {
    let group = if kind.gvk.group.is_empty() { "-" } else { &kind.gvk.group };
    COLUMNS.get(format!("{group}/{}", kind.gvk.kind).as_str()).map_or(&PLAIN, Vec::as_slice)
}

fn parse(text: &'static str) -> Result<BTreeMap<&'static str, Vec<Column>>, String> {
    let mut columns: BTreeMap<&'static str, Vec<Column>> = BTreeMap::new();
    let mut current: Vec<&'static str> = Vec::new();
    for line in text.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        if let Some(kinds) = line.strip_prefix("= ") {
            current = kinds.split_whitespace().collect();
            continue;
        }
        let column = column(line).ok_or_else(|| format!("expected `NAME | TYPE | TEXT`: {line}"))?;
        for kind in &current {
            columns.entry(kind).or_default().push(column.clone());
        }
    }
    Ok(columns)
}

fn column(line: &'static str) -> Option<Column> {
    let mut parts = line.splitn(3, " | ");
    let (name, types, description) = (parts.next()?, parts.next()?, parts.next()?);
    let (type_, format) = types.split_once('/').unwrap_or((types, ""));
    let (priority, name) = name.strip_prefix('*').map_or((0, name), |rest| (1, rest));
    Some(Column { name, type_, format, description, priority })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_that_users_know() {
        let names = |group: &str, version: &str, plural: &str| -> Vec<String> {
            let star = |it: &Column| format!("{}{}", it.name, if it.priority > 0 { "*" } else { "" });
            columns(crate::find(group, version, plural).unwrap()).iter().map(star).collect()
        };
        assert_eq!(
            names("", "v1", "pods").join(", "),
            "Name, Ready, Status, Restarts, Age, IP*, Node*, Nominated Node*, Readiness Gates*"
        );
        assert_eq!(names("rbac.authorization.k8s.io", "v1", "clusterroles"), ["Name", "Created At"]);
        assert_eq!(names("authentication.k8s.io", "v1", "tokenreviews"), ["Name", "Created At"]);
    }

    #[test]
    fn every_row_of_the_table_is_a_kind() {
        for key in parse(include_str!("../tables/columns.txt")).unwrap().keys() {
            let (group, kind) = key.split_once('/').unwrap();
            let group = group.trim_matches('-');
            assert!(crate::kinds().iter().any(|it| it.gvk.group == group && it.gvk.kind == kind), "{key}");
        }
    }
}
