use proptest::prelude::*;

use super::*;

fn rewrite(text: &str) -> String {
    spel::rewrite(text).text
}

#[test]
fn expressions_are_rewritten_where_expr_differs() {
    for (text, want) in [
        // Lists first, then members.
        ("{'a', 'b'}.contains(container.name)", "(container.name in ['a', 'b'])"),
        ("!{'a'}.contains(x) && y", "!(x in ['a']) && y"),
        ("securityContext.capabilities.add.contains('ALL')", "('ALL' in securityContext.capabilities.add)"),
        ("!a?.b?.c.contains(\"x\")", "!(\"x\" in a?.b?.c)"),
        ("{1, f(2, 3)}.contains({'n'}.contains(z) ? 1 : 2)", "((z in ['n']) ? 1 : 2 in [1, f(2, 3)])"),
        ("xs.contains('a') || ys.contains('b')", "('a' in xs) || ('b' in ys)"),
        // What is a map, a call's value, or no literal stays.
        ("{a: 1}.contains(x)", "{a: 1}.contains(x)"),
        ("f(x).contains('a')", "f(x).contains('a')"),
        ("xs[0].contains('a')", "xs[0].contains('a')"),
        ("xs.contains(y)", "xs.contains(y)"),
        ("'a.contains(\\'b\\')' == x", "'a.contains(\\'b\\')' == x"),
        ("any(xs, {.name contains 'a'})", "any(xs, {.name contains 'a'})"),
        // Methods of text.
        ("!a.b.startsWith('x')", "!(a.b startsWith 'x')"),
        ("a.endsWith(\"x\") and b", "(a endsWith \"x\") and b"),
        ("a.matches('v[0-9]+\\.x')", "(a matches `^(?:v[0-9]+\\.x)$`)"),
        ("a.matches('`')", "(a matches '^(?:`)$')"),
        // Elvis.
        ("a.b ?: 'x'", "(a.b ?? 'x')"),
        ("(a ?: b) == c", "((a ?? b)) == c"),
        ("a ?: b ?: c", "(a ?? (b ?? c))"),
        ("f(a ?: 1, b == 2 ?: c)", "f((a ?? 1), ((b == 2) ?? c))"),
        ("x ? a ?: b : c", "x ? (a ?? b) : c"),
        ("a ?? b", "a ?? b"),
        ("a ?.5 : b", "a ?.5 : b"),
        // Broken text is left alone.
        ("{'a'.contains(x", "{'a'.contains(x"),
        ("'open", "'open"),
        ("(a ?: b", "(a ?: b"),
        ("f(a ?: b]", "f(a ?: b]"),
        ("?:", "?:"),
        ("", ""),
    ] {
        assert_eq!(rewrite(text), want, "{text}");
        assert_eq!(rewrite(want), want, "again: {text}");
    }
}

#[test]
fn what_has_no_counterpart_is_named() {
    let warnings = |text: &str| spel::rewrite(text).warnings;
    assert!(warnings("T(java.lang.Math).random() > 0.5")[0].starts_with("`T(…)`"));
    assert!(warnings("#root.name == 'a'")[0].starts_with("`#root`"));
    assert!(warnings("f(x).contains('a')")[0].starts_with("`.contains(…)`"));
    assert_eq!(warnings("any(xs, # == 'T(x)') && x.T == 1"), Vec::<String>::new());
}

fn run(files: &[(&str, &str)], layout: Layout) -> Migration {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| PolicyFile { path: (*path).to_owned(), text: (*text).to_owned().into() })
        .collect();
    migrate(&files, layout, &|text| {
        if text.contains("broken") { Err("unexpected\nsecond line".to_owned()) } else { Ok(()) }
    })
}

fn notes(result: &Migration) -> Vec<String> {
    let head = |it: &Note| if it.is_error { "error" } else { "warn" };
    result.notes.iter().map(|it| format!("{}: {}: {}", head(it), it.place, it.message)).collect()
}

const OLD: &str = "\
name: No Privileged
enabled: true
severity: high
filter:
  namespace: production
rule: container.securityContext.capabilities.add.contains('ALL')
actions:
- {type: label, key: a, value: b, on: [audit], params: {value: c}}
";

#[test]
fn resources_are_made_of_rules() {
    let result = run(&[("old.yaml", OLD)], Layout::Resources);
    assert_eq!((result.files.len(), result.migrated, result.errors()), (1, 1, 0));
    assert_eq!(result.files[0].0, "no-privileged.yaml");
    let want = "\
apiVersion: portal.io/v1alpha1
kind: PortalClusterRule
metadata:
  name: no-privileged
spec:
  name: No Privileged
  enabled: true
  severity: high
  mode:
  - admission
  - audit
  enforcementAction: warn
  match:
    gvk:
    - group: \"\"
      version: v1
      kind: Pod
    namespaces:
      include:
      - production
  rule: ('ALL' in container.securityContext.capabilities.add)
  actions:
  - type: label
    \"on\":
    - audit
    params:
      key: a
      value: c
";
    assert_eq!(result.files[0].1, want);
    assert_eq!(
        notes(&result),
        [
            "warn: old.yaml#0: `match.gvk` was missing: the rule is about Pods",
            "warn: old.yaml#0: `enforcementAction` was missing: the rule warns",
        ]
    );
}

#[test]
fn names_are_numbered_and_every_document_counts() {
    let rule = "{name: a, enabled: true, match: {gvk: [{group: '', version: v1, kind: Pod}]}, enforcementAction: deny, mode: [], rule: x}";
    let text = format!("# head\n---\n{rule}\n---\n- {rule}\n- {rule}\n");
    let result = run(&[("a.yaml", &text), ("b.yaml", rule)], Layout::Resources);
    let names: Vec<_> = result.files.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, ["a.yaml", "a-2.yaml", "a-3.yaml", "a-4.yaml"]);
    assert_eq!((notes(&result), result.migrated), (vec![], 2));
    assert!(result.files[0].1.contains("mode: []"), "an empty list is meant");
    let folder = run(&[("a.yaml", &text), ("b.yaml", rule)], Layout::Folder);
    let names: Vec<_> = folder.files.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, ["a.yaml", "b.yaml"]);
    assert_eq!(folder.files[0].1.matches("name: a\n").count(), 3);
}

#[test]
fn resources_stay_resources() {
    let resource = "apiVersion: portal.io/v1alpha1\nkind: PortalRule\nmetadata: {name: mine, namespace: shop}\nspec: {name: m, enabled: true, rule: \"xs.contains('a')\", match: {gvk: [{group: '', version: v1, kind: Pod}]}, enforcementAction: deny, mode: [audit]}\n";
    for layout in [Layout::Resources, Layout::Folder] {
        let result = run(&[("mine.yaml", resource)], layout);
        assert_eq!(result.files[0].0, "mine.yaml");
        let text = &result.files[0].1;
        assert!(
            text.contains("kind: PortalRule") && text.contains("namespace: shop") && text.contains("('a' in xs)"),
            "{text}"
        );
        assert_eq!(notes(&result), Vec::<String>::new());
    }
}

#[test]
fn mistakes_are_told_and_the_rest_is_migrated() {
    let result = run(
        &[
            ("broken.yaml", "a: ["),
            ("other.yaml", "apiVersion: v1\nkind: Pod\n"),
            ("text.yaml", "just text"),
            ("filter.yaml", "{name: f, filter: {namespace: [a], other: 1}, rule: broken}"),
            (
                "both.yaml",
                "{name: g, enabled: true, filter: {namespace: {include: [a], exclude: [b], odd: 1}}, rule: x}",
            ),
        ],
        Layout::Resources,
    );
    let notes = notes(&result);
    assert!(notes[0].starts_with("error: broken.yaml: file is not YAML"), "{notes:?}");
    assert_eq!(notes[1], "error: other.yaml#0: is a manifest of another API group: left out");
    assert!(notes[2].starts_with("error: text.yaml#0: a rule is a mapping"), "{notes:?}");
    assert_eq!(notes[3], "warn: filter.yaml#0: `filter.namespace` is neither a name nor a mapping: left alone");
    assert!(
        notes.contains(
            &"warn: filter.yaml#0: the expression does not compile, rewrite it by hand: unexpected".to_owned()
        )
    );
    assert!(notes.iter().any(|it| it.starts_with("warn: filter.yaml#0: `enabled` was missing")));
    assert_eq!((result.errors(), result.migrated), (3, 2));
    assert!(
        result.files[1].1.contains("include:\n      - a\n      exclude:\n      - b\n")
            && !result.files[1].1.contains("odd")
    );
}

proptest! {
    #[test]
    fn any_text_is_rewritten_once_and_for_all(text in r#"[a-c .?:'"(){}\[\],!#]{0,40}"#,
        parts in proptest::collection::vec(proptest::sample::select(vec!["{'a', b}", ".contains(", "xs", "'y'", ")", " ?: ", "!", ".startsWith('p')", ".matches('q')", "(", " && "]), 0..12)) {
        for text in [text, parts.concat()] {
            let once = rewrite(&text);
            prop_assert_eq!(rewrite(&once), once.clone(), "{}", text);
        }
    }

    /// What comes out as a folder goes through again unchanged.
    #[test]
    fn folders_go_through_unchanged(name in "[ -~]{0,12}", rule in "[ -~\n]{0,200}", value in any::<String>(), enabled: Option<bool>, wide: bool) {
        let mut document = json!({"name": name, "rule": rule, "actions": [{"type": "label", "key": value, "on": ["audit"]}]});
        if let Some(enabled) = enabled { document["enabled"] = json!(enabled); }
        if wide { document["filter"] = json!({"namespace": {"include": [value.clone()]}}); }
        let text = document.to_string();
        let once = run(&[("a.yaml", &text)], Layout::Folder);
        prop_assert_eq!(once.errors(), 0, "{:?}", once.notes);
        let twice = run(&[("a.yaml", &once.files[0].1)], Layout::Folder);
        prop_assert_eq!(&twice.files, &once.files);
    }
}
