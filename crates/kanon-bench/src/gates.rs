//! Gates: one evaluation, and a tick at which every gate of a large plane is due.
//!
//! The plane of the tick has a hundred namespaces with ten Pipelines each, a Bundle on its way through each of them, and a
//! hundred gates for each Bundle: the expressions of the documentation, made for its five environments.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kanon_core::{Change, FamilyId, Input, Keep, Kind, Mono, Now, Object};
use kanon_plane::{Family, Outbox};
use kanon_promotion::{PromotionFamily, Settings, api, decide, gate::Compiler, inputs::Inputs};
use serde_json::{Value, json};

use crate::{languages::stopwatch::core_time, median, report};

const NAMESPACES: usize = 100;
const PIPELINES: usize = 10;
const ENVIRONMENTS: [&str; 5] = ["test", "uat", "staging", "prod-eu", "prod-us"];
/// Gates of one Bundle in one environment.
const EXPRESSIONS: [&str; 20] = [
    "!schedule.isWeekend",
    "schedule.hour >= 9 && schedule.hour < 17",
    "!schedule.isWeekend && bundle.type == 'image'",
    "bundle.provenance.author != 'dependabot[bot]'",
    "bundle.upstreamSoakMinutes >= 30",
    "!changewindow.isBlocked('freeze')",
    "bundle.labels['team'] == 'web'",
    "environment.approval == 'auto'",
    "upstream.test.soakMinutes >= 10",
    "schedule.dayOfWeek != 'Friday'",
    "bundle.version.startsWith('1.')",
    "bundle.type == 'image' && bundle.images.size() > 0 && bundle.images[0].tag != 'latest'",
    "!schedule.isWeekend && schedule.hour < 17 && bundle.provenance.author != ''",
    "previousBundle.version == ''",
    "upstream.uat.recentFailureCount < 3",
    "bundle.annotations.size() >= 0",
    "bundle.intent.target == ''",
    "metrics.size() == 0",
    "upstream.staging.recentSuccessCount >= 0 && !schedule.isWeekend",
    "bundle.images.all(i, i.repository.startsWith('registry.example.com/'))",
];

/// Tuesday.
const START: &str = "2026-04-07T10:00:00Z";

struct Plane {
    family: PromotionFamily,
    kinds: Vec<Arc<Kind>>,
    start: Timestamp,
    passed: Duration,
    effects: usize,
}

impl Plane {
    fn new() -> anyhow::Result<Plane> {
        let family = PromotionFamily::new(Arc::new(kanon_cel::Cel::default()), Settings::default());
        let kinds = api::kinds().into_iter().map(Arc::new).collect();
        Ok(Plane { family, kinds, start: START.parse()?, passed: Duration::ZERO, effects: 0 })
    }

    fn send(&mut self, input: &Input) {
        let wall = self.start.checked_add(self.passed).unwrap_or(self.start);
        let mut out = Outbox::new(FamilyId("promotion"));
        self.family.handle(input, Now::new(wall, Mono::default().after(self.passed)), &mut out);
        self.effects += out.wanted().count();
    }

    fn apply(&mut self, kind: usize, object: &Value) {
        let kind = self.kinds[kind].clone();
        self.send(&Input::Object { kind, change: Change::Applied, object: Object::from_value(object) });
    }
}

fn bundle(namespace: &str, pipeline: &str, name: &str, soaked: &str) -> Value {
    let image = json!({"repository": "registry.example.com/web", "tag": "1.29.0"});
    json!({"metadata": {"namespace": namespace, "name": name, "labels": {"team": "web"},
            "creationTimestamp": "2026-04-07T08:00:00Z"},
        "spec": {"type": "image", "pipeline": pipeline, "images": [image], "provenance": {"author": "alice"}},
        "status": {"phase": "Promoting", "environments": [
            {"name": "test", "phase": "Verified", "healthCheckedAt": soaked}]}})
}

/// A plane with all gates asked once; how long that took.
fn filled() -> anyhow::Result<(Plane, usize, Duration)> {
    let mut plane = Plane::new()?;
    let mut gates = 0;
    let begin = Instant::now();
    for at in 0..NAMESPACES * PIPELINES {
        let (namespace, pipeline) = (format!("team-{}", at % NAMESPACES), format!("app-{at}"));
        let environments: Vec<_> = ENVIRONMENTS.iter().map(|it| json!({"name": it})).collect();
        plane.apply(
            1,
            &json!({"metadata": {"namespace": namespace, "name": pipeline},
            "spec": {"environments": environments}}),
        );
        let name = format!("{pipeline}-v1");
        plane.apply(2, &bundle(&namespace, &pipeline, &name, "2026-04-07T08:30:00Z"));
        for environment in ENVIRONMENTS {
            for (number, expression) in EXPRESSIONS.iter().enumerate() {
                let labels = json!({"kardinal.io/bundle": name, "kardinal.io/pipeline": pipeline,
                    "kardinal.io/environment": environment});
                let gate = json!({"metadata": {"namespace": namespace, "name": format!("{name}-{environment}-{number}"),
                    "uid": format!("{at}-{environment}-{number}"), "labels": labels, "generation": 1},
                    "spec": {"expression": expression}});
                plane.apply(0, &gate);
                gates += 1;
            }
        }
    }
    for kind in plane.kinds.clone() {
        plane.send(&Input::Synced { kind, keep: Keep::All });
    }
    Ok((plane, gates, begin.elapsed()))
}

/// Measures and prints.
pub(crate) fn run() -> anyhow::Result<()> {
    evaluations()?;
    let (mut plane, gates, taken) = filled()?;
    report(&format!("gates: {gates} read, compiled and asked"), &format!("{:.2} s", taken.as_secs_f64()), "-", "-");
    let tick = |plane: &mut Plane, passed: Duration| {
        plane.passed += passed;
        let begin = core_time();
        plane.send(&Input::Tick);
        (core_time() - begin).as_secs_f64() * 1e3
    };
    // Their interval is five minutes: at each of these ticks, every gate is due.
    let times: Vec<f64> = (0..7).map(|_| tick(&mut plane, Duration::from_secs(301))).collect();
    report(
        &format!("gates: a tick at which {gates} are due, CPU"),
        &format!("{:.0} ms", median(times)),
        "≤ 150 ms",
        "-",
    );
    let change = bundle("team-0", "app-0", "app-0-v1", "2026-04-07T08:40:00Z");
    let before = core_time();
    plane.apply(2, &change);
    let event = (core_time() - before).as_secs_f64() * 1e3;
    report(&format!("gates: a Bundle's event among {gates}, CPU"), &format!("{event:.2} ms"), "-", "-");
    let idle = tick(&mut plane, Duration::from_secs(1));
    report(&format!("gates: a tick at which none of {gates} is due, CPU"), &format!("{idle:.3} ms"), "-", "-");
    Ok(())
}

/// One gate after the other, each with its inputs at hand.
fn evaluations() -> anyhow::Result<()> {
    let compiler = Compiler::new(Arc::new(kanon_cel::Cel::default()));
    let spec = |text: &&str| api::PolicyGateSpec { expression: (*text).to_owned(), ..Default::default() };
    let gates: Result<Vec<_>, _> = EXPRESSIONS.iter().map(|it| compiler.gate(&spec(it))).collect();
    let (gates, inputs, now) = (gates?, Inputs::example(), START.parse()?);
    let rounds = 20_000;
    let runs = (0..5).map(|_| {
        let begin = core_time();
        let mut passed = 0;
        for _ in 0..rounds {
            passed += gates.iter().filter(|it| decide::evaluate(it, &inputs, now) == Ok(true)).count();
        }
        assert!(std::hint::black_box(passed) > 0);
        (rounds * gates.len()) as f64 / (core_time() - begin).as_secs_f64() / 1e6
    });
    let rate = median(runs.collect());
    report("gates: evaluations a second and core", &format!("{rate:.2} M"), "≥ 1 M", "-");
    Ok(())
}
