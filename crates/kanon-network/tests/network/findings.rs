//! The life of findings: fire once, resolve once, and tell a changed message at most once a minute.

use std::time::Duration;

use kanon_core::{Change, Mono, Object};
use kanon_network::{Analyser, Check, Event, Options, Severity};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::kind_of;

fn at(seconds: u64) -> Mono {
    Mono(Duration::from_secs(1_000 + seconds))
}

fn pod(name: &str) -> Object {
    Object::from_value(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": []}}))
}

fn policy(name: &str, spec: &serde_json::Value) -> Object {
    Object::from_value(&json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"}, "spec": spec}))
}

fn told(events: Vec<Event>) -> Vec<String> {
    let line = |it| match it {
        Event::Fired(it) => format!("+ {}", it.key),
        Event::Regraded(it, before) => format!("^ {} {before}", it.key),
        Event::Refreshed(it) => format!("~ {} {}", it.key, it.message),
        Event::Resolved(it) => format!("- {}", it.key),
    };
    events.into_iter().map(line).collect()
}

/// Applies, checks everything that is marked, and says what was told.
fn step(analyser: &mut Analyser, object: &Object, change: Change, now: Mono) -> Vec<String> {
    // A change settles before it is looked at.
    if analyser.apply(&kind_of(object), change, object, before(now)) {
        assert_eq!(analyser.next_deadline(), Some(now));
    }
    told(analyser.check(usize::MAX, now).events)
}

fn before(now: Mono) -> Mono {
    Mono(now.0 - Analyser::SETTLE)
}

const NONE: [String; 0] = [];

#[test]
fn findings_fire_and_clear_with_their_cause() {
    let mut analyser = Analyser::default();
    let open = policy(
        "out",
        &json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}),
    );
    let deny = policy("deny", &json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
    use Change::{Applied, Deleted};
    assert_eq!(step(&mut analyser, &pod("a"), Applied, at(0)), ["+ np.default-deny-missing:shop"]);
    assert_eq!(step(&mut analyser, &pod("a"), Applied, at(1)), NONE);
    assert_eq!(step(&mut analyser, &open, Applied, at(2)), ["+ np.broad-cidr:shop/out:0:0"]);
    assert_eq!(step(&mut analyser, &deny, Applied, at(3)), ["- np.default-deny-missing:shop"]);
    assert_eq!(step(&mut analyser, &open, Deleted, at(4)), ["- np.broad-cidr:shop/out:0:0"]);
    assert_eq!(step(&mut analyser, &deny, Deleted, at(5)), ["+ np.default-deny-missing:shop"]);
    assert_eq!(step(&mut analyser, &pod("a"), Deleted, at(6)), ["- np.default-deny-missing:shop"]);
    assert_eq!(analyser.findings().open().count(), 0);
    assert_eq!(analyser.next_deadline(), None);
}

#[test]
fn a_changed_message_is_told_at_most_once_a_minute() {
    let mut analyser = Analyser::default();
    use Change::{Applied, Deleted};
    step(&mut analyser, &pod("a"), Applied, at(0));
    assert_eq!(step(&mut analyser, &pod("b"), Applied, at(10)), NONE);
    assert_eq!(step(&mut analyser, &pod("c"), Applied, at(20)), NONE);
    assert_eq!(analyser.next_deadline(), Some(at(60)));
    let three = "~ np.default-deny-missing:shop namespace `shop` has 3 pods and no default-deny policy for ingress";
    assert_eq!(told(analyser.check(1, at(60)).events), [three]);
    assert_eq!(analyser.next_deadline(), None);
    // Long after, at once; and what went back to what was told last is not told again.
    assert_eq!(step(&mut analyser, &pod("d"), Applied, at(200)).len(), 1);
    assert_eq!(step(&mut analyser, &pod("e"), Applied, at(210)), NONE);
    assert_eq!(step(&mut analyser, &pod("e"), Deleted, at(220)), NONE);
    assert_eq!(told(analyser.check(1, at(260)).events), NONE);
    // A finding that is resolved leaves no deadline behind.
    step(&mut analyser, &pod("e"), Applied, at(265));
    let deny = policy("deny", &json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
    assert_eq!(step(&mut analyser, &deny, Applied, at(266)), ["- np.default-deny-missing:shop"]);
    assert_eq!(analyser.next_deadline(), None);
}

#[test]
fn a_burst_of_changes_is_checked_once() {
    let mut analyser = Analyser::default();
    let millis = |it| Mono(Duration::from_millis(it));
    for at in 0..100 {
        let pod = pod(&format!("p{at}"));
        analyser.apply(&kind_of(&pod), Change::Applied, &pod, millis(at));
        assert_eq!(analyser.check(usize::MAX, millis(at)).events, []);
    }
    assert_eq!(analyser.next_deadline(), Some(millis(250)));
    let events = analyser.check(usize::MAX, millis(250)).events;
    assert!(matches!(events.as_slice(), [Event::Fired(it)] if it.message.contains("100 pods")), "{events:?}");
    assert_eq!(analyser.next_deadline(), None);
    // Whoever loses the lead forgets, and finds it again.
    assert_eq!(analyser.clear().len(), 1);
    analyser.mark_all(millis(300));
    assert_eq!(told(analyser.check(usize::MAX, millis(550)).events), ["+ np.default-deny-missing:shop"]);
}

#[test]
fn options_change_what_stands() {
    let mut analyser = Analyser::default();
    step(&mut analyser, &pod("a"), Change::Applied, at(0));
    analyser.configure(
        Options { severities: [(Check::DefaultDenyMissing, Severity::High)].into(), ..Options::default() },
        before(at(1)),
    );
    assert_eq!(told(analyser.check(9, at(1)).events), ["^ np.default-deny-missing:shop medium"]);
    analyser.configure(Options { on: [].into(), ..Options::default() }, before(at(2)));
    assert_eq!(told(analyser.check(9, at(2)).events), ["- np.default-deny-missing:shop"]);
}

proptest! {
    /// Whatever happens: what was fired and not resolved is what is open, and is what a fresh look finds.
    #[test]
    fn events_add_up_to_what_is_open(steps in vec((0..3_u8, 0..3_u8, any::<bool>(), 0..40_u64), 0..40)) {
        let mut analyser = Analyser::new(Options { on: Check::ALL.into(), ..Options::default() });
        let (mut open, mut now) = (std::collections::BTreeSet::new(), 0);
        for (what, which, delete, wait) in steps {
            let specs = [json!({"podSelector": {}}), json!({"podSelector": {"matchLabels": {"x": "y"}}}),
                json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "::/0"}}]}, {}]})];
            let name = format!("o{which}");
            let object = match what {
                0 => pod(&name),
                _ => policy(&name, &specs[usize::from((which + what) % 3)]),
            };
            now += wait;
            analyser.apply(&kind_of(&object), if delete { Change::Deleted } else { Change::Applied }, &object, before(at(now)));
            for event in analyser.check(usize::MAX, at(now)).events {
                match event {
                    Event::Fired(it) => prop_assert!(open.insert(it.key.clone()), "fired twice: {}", it.key),
                    Event::Regraded(it, _) | Event::Refreshed(it) => prop_assert!(open.contains(&it.key)),
                    Event::Resolved(it) => prop_assert!(open.remove(&it.key), "resolved twice: {}", it.key),
                }
            }
            let standing: std::collections::BTreeSet<_> = analyser.findings().open().map(|it| it.key.clone()).collect();
            prop_assert_eq!(&standing, &open);
        }
    }
}
