//! What violated rules have done: when, how often, and what of it this process cannot do.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Plane, creation, language, now};
use kanon_core::{Action as Wanted, Delivery, Done, Effect, EventType, FamilyId, Input, Review};
use kanon_plane::{Action, Family, NoLookups, ParamError, Params, Prepared};
use kanon_rules::{RulesFamily, Settings};
use serde_json::{Value, json};

/// A fake: it notes that it ran.
struct Fake;

impl Action for Fake {
    fn id(&self) -> &'static str {
        "fake"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        if params.contains_key("wrong") {
            return Err(ParamError { name: "wrong".into(), problem: "is wrong" });
        }
        Ok(Prepared::object(|verdict, reach| {
            let (event_type, message) = (EventType::Warning, verdict.message.clone());
            reach.want(verdict.subject.clone(), Wanted::Event { event_type, reason: "Ran".into(), message })
        }))
    }
}

fn plane(enforcement: &str, actions: Value) -> Plane {
    let actions_known = [("fake", Arc::new(Fake) as Arc<dyn Action>)].into_iter().collect();
    let family = RulesFamily::new(language(), Settings::default()).with_actions(actions_known);
    let mut plane = Plane { family, effects: Vec::new(), secs: 0 };
    plane.apply(&json!({
        "apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": "r", "uid": "u", "generation": 1},
        "spec": {"name": "r", "enabled": true, "mode": ["admission"], "enforcementAction": enforcement,
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]},
            "rule": "container.name startsWith 'c'", "actions": actions},
    }));
    plane
}

/// Runs of the action after reviews at these seconds, each of another pod; every run goes through.
fn runs(plane: &mut Plane, dry_run: bool, at: &[u64]) -> usize {
    let mut runs = 0;
    for secs in at {
        plane.secs = *secs;
        let name = format!("p{secs}");
        let object =
            json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": [{"name": "c1"}, {"name": "c2"}]}});
        let review = Review { dry_run, name, ..creation(&object) };
        let reviewed = plane.family.view().review(&review, &NoLookups, now(*secs));
        plane.input(&Input::Reviewed {
            family: FamilyId("rules"),
            review: Arc::new(review),
            verdicts: reviewed.verdicts,
            counts: reviewed.counts,
        });
        // The object is stored meanwhile.
        plane.secs += 1;
        plane.input(&Input::Tick);
        for Effect { id, family, subject, action, .. } in std::mem::take(&mut plane.effects) {
            if matches!(&action, Wanted::Event { reason, .. } if reason == "Ran") {
                runs += 1;
                let result = Ok(Done::Done);
                plane.input(&Input::Delivered(Delivery { effect: id, family, subject, result }));
            }
        }
    }
    runs
}

#[test]
fn an_action_runs_once_a_violating_object_unless_nothing_is_stored() {
    let fake = || json!([{"type": "fake"}]);
    assert_eq!(runs(&mut plane("warn", fake()), false, &[1]), 1);
    assert_eq!(runs(&mut plane("dryrun", fake()), false, &[1]), 1);
    assert_eq!(runs(&mut plane("deny", fake()), false, &[1]), 0);
    assert_eq!(runs(&mut plane("warn", fake()), true, &[1]), 0);
    assert_eq!(runs(&mut plane("warn", json!([{"type": "fake", "on": ["audit"]}])), false, &[1]), 0);
}

#[test]
fn a_rate_limit_holds_over_time() {
    let limited = json!([{"type": "fake", "rateLimit": "2/min"}]);
    assert_eq!(runs(&mut plane("warn", limited), false, &[1, 3, 5, 31, 59, 61, 63, 65]), 4);
}

#[test]
fn what_cannot_run_is_said_in_the_status() {
    let mut plane = plane("warn", json!([{"type": "evict"}, {"type": "fake", "wrong": 1}]));
    let effects = std::mem::take(&mut plane.effects);
    let text = serde_json::to_string(&effects).unwrap();
    assert!(text.contains("action `evict` is not run by this version"), "{text}");
    assert!(text.contains("action `fake` never runs: parameter `wrong` is wrong"), "{text}");
    assert_eq!(runs(&mut plane, false, &[1]), 0);
}
