//! The network loop in the family: the same inputs at the same times give the same records and figures.

use std::{sync::Arc, time::Duration};

use kanon_core::{Change, Figures, Input, Keep, Kind, Mono, Now, Object, Shards, Verdict};
use kanon_network::{Check, Options};
use kanon_plane::{Family, Outbox};
use kanon_rules::{FAMILY, NetworkSettings, Responses, RulesFamily, Settings};
use serde_json::{Value, json};

struct Scene {
    family: RulesFamily,
    figures: Arc<Figures>,
    millis: u64,
}

impl Scene {
    fn new(settings: &NetworkSettings) -> Scene {
        let figures = Arc::<Figures>::default();
        let family = RulesFamily::new(Arc::new(kanon_expr::Expr::default()), Settings::default());
        let responses = Responses { figures: Arc::clone(&figures), ..Responses::default() };
        let family = family.with_responses(responses).with_network(settings);
        Scene { family, figures, millis: 0 }
    }

    fn now(&self) -> Now {
        let wall = jiff::Timestamp::from_millisecond(1_790_000_000_000 + self.millis as i64).expect("a time");
        Now::new(wall, Mono(Duration::from_millis(self.millis)))
    }

    /// What is recorded of an input: outcome, policy, subject, message.
    fn put(&mut self, input: &Input) -> Vec<String> {
        let mut out = Outbox::new(FAMILY);
        let now = self.now();
        self.family.handle(input, now, &mut out);
        let line = |it: &Verdict| format!("{} {} {} {}", it.outcome.as_str(), it.policy.name, it.subject, it.message);
        out.recorded().map(line).collect()
    }

    /// Waits until the family wants to be woken, and wakes it.
    fn wake(&mut self) -> Vec<String> {
        if let Some(at) = self.family.next_deadline() {
            self.millis = self.millis.max(u64::try_from(at.0.as_millis()).expect("a time"));
        }
        self.put(&Input::Tick)
    }

    fn object(&mut self, change: Change, value: &Value) -> Vec<String> {
        let kind = kind(value["kind"].as_str().expect("a kind"));
        self.put(&Input::Object { kind, change, object: Object::from_value(value) })
    }

    fn sync(&mut self) {
        for it in ["Namespace", "Pod", "NetworkPolicy"] {
            self.put(&Input::Synced { kind: kind(it), keep: Keep::All });
        }
    }
}

fn kind(name: &str) -> Arc<Kind> {
    let all = kanon_network::Kinds::all();
    Arc::new(all.into_iter().find(|it| it.gvk.kind == name).expect("one of the three"))
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"containers": []}})
}

fn policy(spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "shop", "uid": "u"}, "spec": spec})
}

const MISSING: &str = "dryrun np.default-deny-missing Namespace shop/shop namespace `shop` has 1 pod and no default-deny policy for ingress";

#[test]
fn only_the_leader_checks_and_only_when_all_is_known() {
    let mut scene = Scene::new(&NetworkSettings::default());
    scene.object(Change::Applied, &pod());
    assert_eq!(scene.wake(), Vec::<String>::new());
    scene.put(&Input::Leadership(Shards::lead(true)));
    assert_eq!(scene.wake(), Vec::<String>::new(), "policies have not arrived");
    scene.sync();
    assert_eq!(scene.wake(), [MISSING]);
    // Who loses the lead forgets; who wins it looks at everything.
    assert_eq!(scene.put(&Input::Leadership(Shards::lead(false))), Vec::<String>::new());
    assert_eq!(scene.wake(), Vec::<String>::new());
    scene.put(&Input::Leadership(Shards::lead(true)));
    assert_eq!(scene.wake(), [MISSING]);
    let open: Vec<_> = scene.figures.read().into_iter().filter(|it| it.0.name == "portal_open_findings").collect();
    assert_eq!(open[0].1.values().sum::<i64>(), 1);
}

#[test]
fn findings_end_with_their_cause_and_are_counted_once() {
    let mut scene = Scene::new(&NetworkSettings::default());
    scene.put(&Input::Leadership(Shards::lead(true)));
    scene.sync();
    scene.object(Change::Applied, &pod());
    assert_eq!(scene.wake(), [MISSING]);
    let broad = policy(&json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]}]}));
    scene.object(Change::Applied, &broad);
    let told = scene.wake();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told.iter().filter(|it| it.starts_with("dryrun np.broad-cidr NetworkPolicy shop/p ")).count(), 2);
    assert_eq!(told.iter().filter(|it| *it == "allow np.default-deny-missing Namespace shop/shop resolved").count(), 1);
    scene.object(Change::Deleted, &broad);
    let told = scene.wake();
    assert_eq!(
        told.iter().filter(|it| *it == "allow np.broad-cidr NetworkPolicy shop/p resolved").count(),
        2,
        "{told:?}"
    );
    let figures = scene.figures.read();
    let found: Vec<_> = figures.iter().filter(|it| it.0.name == "portal_np_findings").collect();
    let value = |check: &str| found[0].1.get(&vec![check.to_owned()]).copied();
    assert_eq!((value("np.default-deny-missing"), value("np.broad-cidr")), (Some(2), Some(2)));
}

#[test]
fn a_family_without_the_loop_sees_nothing() {
    let mut scene = Scene::new(&NetworkSettings {
        options: Options { on: [Check::BroadCidr].into(), ..Options::default() },
        ..NetworkSettings::default()
    });
    scene.put(&Input::Leadership(Shards::lead(true)));
    scene.sync();
    scene.object(Change::Applied, &pod());
    assert_eq!(scene.wake(), Vec::<String>::new(), "a check that is off");
    scene.family = RulesFamily::new(Arc::new(kanon_expr::Expr::default()), Settings::default());
    scene.put(&Input::Leadership(Shards::lead(true)));
    scene.sync();
    scene.object(Change::Applied, &pod());
    assert_eq!(scene.wake(), Vec::<String>::new());
}
