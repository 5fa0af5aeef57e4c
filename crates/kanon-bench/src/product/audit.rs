//! The audit: 50 rules over 100,000 stored pods, on one core; and what one changed pod costs then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kanon_core::{Change, Input, Kind, Object, PolicyFile};
use kanon_plane::{Plane, Settings};
use kanon_rules::{Mode, RulesFamily};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::samples;
use crate::{median, report};

/// How many pods.
const OBJECTS: usize = 100_000;
/// How many rules.
const RULES: usize = 50;

/// Rules as users write them; `$` is a number that makes each its own.
const TEMPLATES: [&str; 10] = [
    "container.securityContext.privileged == true && metadata.name != 'allowed-$'",
    "container.image.tag == 'v$'",
    "container.image.registry in ['registry-$.example.org', 'evil.example.com']",
    "not ('ALL' in (container.securityContext.capabilities.drop ?? [])) && metadata.name != 'allowed-$'",
    "object.spec?.hostNetwork == true && metadata.namespace != 'infra-$'",
    "any(object.spec?.volumes ?? [], {#?.hostPath?.path startsWith '/data-$'})",
    "!('app' in (object.metadata.labels ?? {})) && metadata.name != 'allowed-$'",
    "any(object.spec.containers, .resources?.limits?.memory == '$Gi')",
    "any(object.spec.containers, .readinessProbe == nil) && metadata.name != 'allowed-$'",
    "len(object.spec.containers) > 10 + $",
];

/// A plane that audits, with objects and rules, and the time of its first look.
struct World {
    plane: Plane,
    clock: Clock,
    kind: Arc<Kind>,
}

impl World {
    fn new(objects: &[Object]) -> World {
        let clock = Clock::start();
        let settings =
            kanon_rules::Settings { loops: vec![Mode::Admission, Mode::Audit], ..kanon_rules::Settings::default() };
        let family = RulesFamily::new(Arc::new(kanon_expr::Expr::default()), settings);
        let kind = Arc::new(Kind::namespaced("", "v1", "Pod", "pods"));
        let mut world = World { plane: Plane::new(vec![Box::new(family)], Settings::default()), clock, kind };
        for object in objects {
            world.apply(object.clone());
        }
        world.work(Input::Synced { kind: Arc::clone(&world.kind) });
        world
    }

    fn apply(&mut self, object: Object) {
        self.work(Input::Object { kind: Arc::clone(&self.kind), change: Change::Applied, object });
    }

    /// Takes an input and runs all scans that follow.
    fn work(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let scans = self.plane.handle(&input, self.clock.now()).scans;
            inputs.extend(scans.iter().map(|it| it.run(self.plane.objects(), self.clock.now())));
        }
    }

    /// Time from new rules to the last verdict.
    fn sweep(&mut self, round: usize) -> Duration {
        let started = Instant::now();
        self.work(Input::Folder { files: vec![rules(round)] });
        started.elapsed()
    }
}

fn rules(round: usize) -> PolicyFile {
    let rule = |n: usize| {
        let text = TEMPLATES[n % TEMPLATES.len()].replace('$', &format!("{n}{round}"));
        json!({"name": format!("rule-{n}"), "enabled": true, "severity": "high", "mode": ["audit"], "rule": text,
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
    };
    let all: Value = (0..RULES).map(rule).collect();
    PolicyFile { path: "rules.yaml".into(), text: all.to_string().into() }
}

/// Prints the figures.
pub(crate) fn run() {
    // The first of the sample's pods that nothing is wrong with, and the sample as it is.
    let clean = |n: usize| {
        let mut pod = samples::pod(1);
        pod["metadata"]["name"] = json!(format!("web-{n}"));
        pod["metadata"]["namespace"] = json!(format!("team-{}", n % 7));
        pod["metadata"]["uid"] = json!(n.to_string());
        Object::from_value(&pod)
    };
    let objects: Vec<_> = (0..OBJECTS).map(clean).collect();
    let mut world = World::new(&objects);
    let pairs = (OBJECTS * RULES) as f64;
    let first = world.sweep(0);
    let times: Vec<_> = (1..6).map(|round| world.sweep(round).as_secs_f64()).collect();
    let warm = median(times);
    let what = format!("audit: {OBJECTS} objects × {RULES} rules, nothing violated");
    report(&what, &format!("{warm:.2} s ({:.1} M pairs/s)", pairs / warm / 1e6), "≤ 0.5 s, ≥ 10 M/s", "one core");
    report("audit: the first time", &format!("{:.2} s", first.as_secs_f64()), "-", "rules compiled, caches cold");

    let times = (0..2001).map(|n| {
        let changed = clean(n * 7);
        let started = Instant::now();
        world.apply(changed);
        started.elapsed().as_secs_f64() * 1e6
    });
    let one = median(times.collect());
    report("audit: one changed object", &format!("{one:.1} µs"), "-", "stored, looked at by 50 rules, taken in");

    let sample = (0..OBJECTS).map(|n| {
        let mut pod = samples::pod(n);
        pod["metadata"]["uid"] = json!(n.to_string());
        Object::from_value(&pod)
    });
    let sample: Vec<_> = sample.collect();
    let mut world = World::new(&sample);
    let dense = world.sweep(0);
    report(
        "audit: the same on pods of which 40 % violate",
        &format!("{:.2} s", dense.as_secs_f64()),
        "-",
        "every finding with its evidence",
    );
}
