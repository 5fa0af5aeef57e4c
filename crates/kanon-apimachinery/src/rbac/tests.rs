use serde_json::json;

use super::*;

fn user(name: &str, groups: &[&str]) -> UserInfo {
    let groups = groups.iter().map(|it| (*it).to_owned()).collect();
    UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
}

fn role(namespace: &str, name: &str, rules: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "rules": rules})
}

fn binding(namespace: &str, name: &str, kind: &str, role: &str, subjects: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}, "subjects": subjects})
}

fn cluster_roles() -> Vec<Value> {
    let mut gathered = role("", "all", Value::Null);
    gathered["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"to-all": "true"}}]});
    let mut part = role("", "part", json!([{"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["get"]}]));
    part["metadata"]["labels"] = json!({"to-all": "true"});
    vec![
        role("", "view", json!([{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}])),
        role(
            "",
            "named",
            json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"]}]),
        ),
        role("", "paths", json!([{"nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]}])),
        role("", "root", json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])),
        gathered,
        part,
    ]
}

fn rules() -> Rules {
    let alice = json!([{"kind": "User", "name": "alice"}]);
    Rules::compile(
        &[role("shop", "exec", json!([{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}]))],
        &cluster_roles(),
        &[
            binding(
                "shop",
                "e",
                "Role",
                "exec",
                json!([{"kind": "ServiceAccount", "name": "cart"}, {"kind": "ServiceAccount", "name": "till", "namespace": "pay"}]),
            ),
            binding("shop", "r", "ClusterRole", "root", json!([{"kind": "Group", "name": "owners"}])),
        ],
        &[
            binding("", "al", "ClusterRole", "view", alice.clone()),
            binding("", "gone", "ClusterRole", "nothing", json!([{"kind": "User", "name": "bob"}])),
            binding("", "n", "ClusterRole", "named", alice.clone()),
            binding("", "p", "ClusterRole", "paths", json!([{"kind": "Group", "name": "ops"}])),
            binding("", "s", "ClusterRole", "all", alice),
        ],
    )
}

/// `verb group/resource[/sub] [namespace] [name]`, or `verb /path`.
fn asked(text: &str) -> Attributes {
    let mut words = text.split(' ');
    let verb = words.next().unwrap_or_default().to_owned();
    let what = words.next().unwrap_or_default();
    if what.starts_with('/') {
        return Attributes::Path { verb, path: what.to_owned() };
    }
    let mut parts = what.split(':').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let (group, resource, subresource) = (part(), part(), part());
    let mut word = || words.next().unwrap_or_default().replace('-', "");
    let (namespace, name) = (word(), word());
    Attributes::Resource(ResourceAttributes {
        verb,
        namespace,
        group,
        resource,
        subresource,
        name,
        version: "v1".to_owned(),
    })
}

#[test]
fn bindings_allow_what_their_roles_say() {
    let (alice, bob, root) = (user("alice", &["dev"]), user("bob", &["ops", "owners"]), user("root", &[MASTERS]));
    let (cart, till) = (user("system:serviceaccount:shop:cart", &[]), user("system:serviceaccount:pay:till", &[]));
    let by_view = r#"RBAC: allowed by ClusterRoleBinding "al" of ClusterRole "view" to User "alice""#;
    let by_named = r#"RBAC: allowed by ClusterRoleBinding "n" of ClusterRole "named" to User "alice""#;
    let by_all = r#"RBAC: allowed by ClusterRoleBinding "s" of ClusterRole "all" to User "alice""#;
    let by_paths = r#"RBAC: allowed by ClusterRoleBinding "p" of ClusterRole "paths" to Group "ops""#;
    let by_root = r#"RBAC: allowed by RoleBinding "r/shop" of ClusterRole "root" to Group "owners""#;
    let missing = r#"RBAC: clusterrole.rbac.authorization.k8s.io "nothing" not found"#;
    for (who, what, allowed, reason) in [
        (&alice, "get :pods shop web", true, by_view),
        (&alice, "list :pods", true, by_view),
        (&alice, "get :pods:log shop web", true, by_view),
        (&alice, "get :pods:exec shop web", false, ""),
        (&alice, "delete :pods shop web", false, ""),
        (&alice, "get apps:pods shop web", false, ""),
        (&alice, "get :secrets shop one", true, by_named),
        (&alice, "get :secrets shop two", false, ""),
        (&alice, "get :secrets shop", false, ""),
        (&alice, "get apps:deployments:scale shop web", true, by_all),
        (&alice, "get apps:deployments shop web", false, ""),
        (&bob, "get /metrics", true, by_paths),
        (&bob, "get /logs/a/b", true, by_paths),
        (&bob, "get /logs", false, missing),
        (&bob, "post /metrics", false, missing),
        (&bob, "escalate any:thing:part shop", true, by_root),
        (&bob, "get :pods other", false, missing),
        (&bob, "get :nodes", false, missing),
        (&root, "get :pods", true, ""),
        (&root, "put /any", true, ""),
        (
            &cart,
            "create :pods:exec shop web",
            true,
            r#"RBAC: allowed by RoleBinding "e/shop" of Role "exec" to ServiceAccount "cart/shop""#,
        ),
        (
            &till,
            "create :pods:exec shop web",
            true,
            r#"RBAC: allowed by RoleBinding "e/shop" of Role "exec" to ServiceAccount "till/pay""#,
        ),
        (&cart, "create :pods:exec pay web", false, ""),
    ] {
        let got = rules().authorize(who, &asked(what));
        assert_eq!((got.allowed, got.reason.as_str()), (allowed, reason), "{} {what}", who.username);
    }
}

#[test]
fn refusals_are_in_upstreams_words() {
    for (what, reason, want) in [
        (
            "list :pods shop",
            "",
            r#"pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "shop""#,
        ),
        (
            "get apps:deployments:scale shop web",
            "",
            r#"deployments.apps "web" is forbidden: User "u" cannot get resource "deployments/scale" in API group "apps" in the namespace "shop""#,
        ),
        (
            "create :nodes",
            "RBAC: x",
            r#"nodes is forbidden: User "u" cannot create resource "nodes" in API group "" at the cluster scope: RBAC: x"#,
        ),
        ("get /metrics", "", r#"forbidden: User "u" cannot get path "/metrics""#),
    ] {
        let error = asked(what).forbidden("u", reason);
        assert_eq!((error.code, error.message.as_str()), (403, want), "{what}");
    }
}

#[test]
fn nobody_grants_what_they_do_not_have() {
    let registry = crate::resource::Registry::builtin();
    let alice = user("alice", &["dev"]);
    let rule = |resource: &str, verbs: &[&str]| json!([{"apiGroups": [""], "resources": [resource], "verbs": verbs}]);
    let bound = |name: &str| binding("shop", "b", "ClusterRole", name, json!([]));
    for (who, plural, object, want) in [
        (&alice, "roles", role("shop", "r", rule("pods", &["get"])), ""),
        (
            &alice,
            "roles",
            role("shop", "r", rule("pods", &["get", "delete", "*"])),
            r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}
{APIGroups:[""], Resources:["pods"], Verbs:["*"]}"#,
        ),
        (&user("root", &[MASTERS]), "roles", role("shop", "r", rule("*", &["*"])), ""),
        (&user("bob", &["owners"]), "roles", role("shop", "r", rule("*", &["*"])), ""),
        (
            &alice,
            "clusterroles",
            cluster_roles().remove(4),
            r#"{APIGroups:["*"], Resources:["*"], Verbs:["*"]}
{NonResourceURLs:["*"], Verbs:["*"]}"#,
        ),
        (&alice, "rolebindings", bound("view"), ""),
        (&alice, "rolebindings", bound("all"), ""),
        (
            &alice,
            "rolebindings",
            bound("paths"),
            r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}
{NonResourceURLs:["/logs/*"], Verbs:["get"]}"#,
        ),
        (&alice, "rolebindings", bound("absent"), "clusterrole.rbac.authorization.k8s.io \"absent\" not found"),
    ] {
        let resource = registry.resource(GROUP, "v1", plural).expect("built in");
        let roles = cluster_roles();
        let role = roles.iter().find(|it| it["metadata"]["name"] == object["roleRef"]["name"]);
        let got = rules().check_escalation(who, resource, &object, role, &roles);
        let got = got.map_or_else(
            |error| error.message.split_once(":\n").map_or(error.message.clone(), |it| it.1.to_owned()),
            |()| String::new(),
        );
        assert_eq!(got, want, "{} {object}", who.username);
    }
}

#[test]
fn roles_in_a_circle_end() {
    let mut roles = cluster_roles();
    roles[4]["metadata"]["labels"] = json!({"to-all": "true"});
    assert_eq!(gathered(&roles[4], &roles).len(), 1);
}

#[test]
fn only_new_grants_are_questioned() {
    let registry = crate::resource::Registry::builtin();
    let roles = cluster_roles();
    let mut labelled = roles[0].clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    let bound = |subjects: Value| binding("shop", "b", "ClusterRole", "view", subjects);
    let somebody = json!([{"kind": "User", "name": "x"}]);
    for (plural, object, old, want) in [
        ("clusterroles", &roles[0], None, true),
        ("clusterroles", &labelled, Some(&roles[0]), false),
        ("clusterroles", &roles[1], Some(&roles[0]), true),
        ("clusterroles", &roles[4], Some(&roles[0]), true),
        ("rolebindings", &bound(somebody.clone()), Some(&bound(json!([]))), true),
        ("rolebindings", &bound(Value::Null), Some(&bound(json!([]))), false),
    ] {
        let resource = registry.resource(GROUP, "v1", plural).expect("built in");
        assert_eq!(changes_grant(resource, object, old), want, "{plural} {object}");
    }
}
