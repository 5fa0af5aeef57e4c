//! Live reads of admission: what a decision wants, what it makes of the answers, and what is recorded of them.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{creation, language, now, rules};
use kanon_core::{Mono, Object, Outcome, PolicyFile, Verdict};
use kanon_plane::{LiveAnswer, LiveAnswers, LiveLookups, LiveRead, ObjectStore, View};
use kanon_rules::{Rules, RulesView, Settings};
use serde_json::{Value, json};

/// As people write it: `get pods shop/web`, `list pods shop app=web`.
fn text(read: &LiveRead) -> String {
    match read {
        LiveRead::Named { kind, namespace, name } => format!("get {} {namespace}/{name}", kind.plural),
        LiveRead::Listed { kind, namespace, selector } => format!("list {} {namespace} {selector}", kind.plural),
        LiveRead::Access(it) => {
            format!("{} may {} {} {}", it.user.username, it.right.verb, it.right.resource, it.namespace)
        }
    }
}

struct Told {
    verdicts: Vec<Verdict>,
    /// What was wanted, round by round.
    rounds: Vec<String>,
}

/// Asks, and answers what is wanted by `api`, as the webhook does.
fn ask(expression: &str, home: Option<&str>, api: impl Fn(&str) -> LiveAnswer) -> Told {
    let view = RulesView::new(rules(expression, home));
    let review =
        creation(&json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "labels": {"app": "web"}}}));
    let store = ObjectStore::default();
    let mut answers = LiveAnswers::default();
    let mut rounds = Vec::new();
    loop {
        let lookups = LiveLookups::new(&store, &answers, Mono::default());
        let verdicts = view.review(&review, &lookups, now(0)).verdicts;
        let wanted = lookups.wanted();
        if wanted.is_empty() {
            return Told { verdicts, rounds };
        }
        rounds.push(wanted.iter().map(text).collect::<Vec<_>>().join(", "));
        if wanted.len() > answers.left() {
            answers.close("enough");
            continue;
        }
        for read in wanted {
            let answer = api(&text(&read));
            answers.put(read, answer);
        }
    }
}

fn pod(name: &str, labels: &Value) -> Object {
    let metadata = json!({"name": name, "namespace": "shop", "resourceVersion": "8", "uid": name, "labels": labels});
    Object::from_value(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}))
}

/// `true`, `false`, or what went wrong; and what was wanted.
fn check(expression: &str, home: Option<&str>, want: &str, rounds: &[&str]) {
    let told = ask(expression, home, |read| match read {
        "get pods shop/web" => Ok(vec![pod("web", &json!({"app": "web"}))]),
        "list pods shop app=web" => Ok(vec![pod("p", &json!({})), pod("web", &json!({"app": "web"}))]),
        "get secrets shop/key" => Err("forbidden".into()),
        _ => Ok(Vec::new()),
    });
    let said = match told.verdicts.first() {
        None => "false".to_owned(),
        Some(it) if it.outcome == Outcome::Deny => "true".to_owned(),
        Some(it) => it.message.clone(),
    };
    assert_eq!(
        (said.as_str(), told.rounds),
        (want, rounds.iter().map(|it| (*it).to_owned()).collect()),
        "{expression}"
    );
}

#[test]
fn what_is_wanted_is_read_and_the_rule_asked_again() {
    check("consistentCluster.pods.exists('shop', 'web')", None, "true", &["get pods shop/web"]);
    check("cluster.consistent.pods.byName('shop', 'none') == nil", None, "true", &["get pods shop/none"]);
    let two = "consistentCluster.pods.exists('shop', 'none') || consistentCluster.pods.exists('shop', 'web')";
    check(two, None, "true", &["get pods shop/none", "get pods shop/web"]);
    check("false && consistentCluster.pods.exists('shop', 'web')", None, "false", &[]);
    // The request's own object counts as stored, and takes the place of what the server has under its name.
    check("consistentCluster.pods.count('shop', {app: 'web'}) == 2", None, "true", &["list pods shop app=web"]);
    check("consistentCluster.pods.exists('shop', 'p')", None, "true", &[]);
}

#[test]
fn what_fails_is_an_evaluation_error() {
    let failed = "could not be evaluated: `secrets` cannot be read: forbidden";
    check("consistentCluster.secrets.exists('shop', 'key')", None, failed, &["get secrets shop/key"]);
    // The watched objects have not arrived here; live reads need them not.
    let unknown = "could not be evaluated: `pods` cannot be looked up: not all of them are known";
    check("cluster.pods.exists('shop', 'web')", None, unknown, &[]);
}

#[test]
fn a_rule_reads_five_times_and_a_request_sixteen() {
    let told = ask("[1,2,3,4,5,6] | any(consistentCluster.pods.exists('shop', string(#)))", None, |_| Ok(Vec::new()));
    let five = "could not be evaluated: `pods` cannot be read: a rule may read 5 times from the API server";
    assert_eq!((told.verdicts[0].message.as_str(), told.rounds.len()), (five, 5));
    let five_each = |name: &str| {
        let expression = format!("[1,2,3,4,5] | any(consistentCluster.pods.exists('shop', '{name}' + string(#)))");
        json!({"name": name, "enabled": true, "mode": ["admission"], "rule": expression, "onError": "warn",
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
    };
    let list = Value::from(["a", "b", "c", "d"].map(five_each).to_vec());
    let file = PolicyFile { path: "a.yaml".into(), text: list.to_string().into() };
    let (rules, _) = Rules::from_documents(&[file], language(), Settings::default(), Default::default());
    let view = RulesView::new(rules);
    let (store, mut answers) = (ObjectStore::default(), LiveAnswers::default());
    let mut read = 0;
    let verdicts = loop {
        let lookups = LiveLookups::new(&store, &answers, Mono::default());
        let verdicts =
            view.review(&creation(&json!({"metadata": {"name": "p", "namespace": "shop"}})), &lookups, now(0)).verdicts;
        let wanted = lookups.wanted();
        if wanted.is_empty() {
            break verdicts;
        }
        if wanted.len() > answers.left() {
            answers.close("enough");
        } else {
            read += wanted.len();
            wanted.into_iter().for_each(|it| answers.put(it, Ok(Vec::new())));
        }
    };
    assert_eq!((read, verdicts.len()), (16, 4));
    assert!(verdicts.iter().all(|it| it.message.ends_with("cannot be read: enough")), "{verdicts:?}");
}

#[test]
fn a_portal_rule_reads_its_own_namespace_only() {
    let elsewhere = "consistentCluster.pods.exists('bank', 'web')";
    check(elsewhere, Some("shop"), "true", &["get pods shop/web"]);
    check("consistentCluster.pods.count('', {app: 'web'}) == 2", Some("shop"), "true", &["list pods shop app=web"]);
    check("consistentCluster.secrets.byName('shop', 'key') == nil", Some("shop"), "true", &[]);
    check("consistentCluster.nodes.list() == nil", Some("shop"), "true", &[]);
}

#[test]
fn evidence_says_what_was_read_live() {
    let told = ask("consistentCluster.pods.exists('shop', 'web')", None, |_| Ok(vec![pod("web", &json!({}))]));
    let reads = &told.verdicts[0].evidence.reads;
    let shown: Vec<_> = reads.iter().map(|it| (it.object.to_string(), it.resource_version.as_str(), it.live)).collect();
    assert_eq!(shown, [("Namespace shop".to_owned(), "", false), ("Pod shop/web".to_owned(), "8", true)]);
    assert_eq!(serde_json::to_value(&reads[1]).unwrap()["live"], true);
    assert_eq!(serde_json::to_value(&reads[0]).unwrap().get("live"), None);
}
