//! How long the usual expressions take: `cargo run --release -p kanon-cel --example speed`.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::time::Instant;

use kanon_cel::Cel;
use kanon_core::Object;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};

const GATE: &str = r#"{"schedule":{"isWeekend":false,"hour":10,"dayOfWeek":"Tuesday"},"bundle":{"version":"1.29.0","upstreamSoakMinutes":45,
    "provenance":{"author":"alice"},"labels":{"hotfix":"true"}},"metrics":{"rate":{"value":0.003}}}"#;

fn pod() -> String {
    let container = |at: usize| {
        format!(
            r#"{{"name":"c{at}","image":"registry.example/app-{at}:1.2.{at}","env":[{{"name":"A","value":"1"}},{{"name":"B","value":"2"}},{{"name":"C","value":"3"}}],"securityContext":{{"privileged":false,"runAsNonRoot":true}},"resources":{{"limits":{{"cpu":"1","memory":"1Gi"}}}}}}"#
        )
    };
    let containers: Vec<String> = (0..3).map(container).collect();
    format!(
        r#"{{"metadata":{{"name":"web","namespace":"team","labels":{{"app":"web","tier":"front"}}}},"spec":{{"containers":[{}]}}}}"#,
        containers.join(",")
    )
}

fn main() {
    let cases = [
        (
            "C1 five clauses",
            GATE,
            "self.schedule.hour >= 9 && self.schedule.hour < 17 && !self.schedule.isWeekend && self.bundle.provenance.author != 'dependabot[bot]' && self.bundle.upstreamSoakMinutes >= 30",
        ),
        ("C4 simple", GATE, "!self.schedule.isWeekend"),
        ("double", GATE, "self.metrics.rate.value < 0.01"),
        ("starts with", GATE, "self.bundle.version.startsWith('1.')"),
        ("matches", GATE, "self.bundle.version.matches('^1[.][0-9]+')"),
        ("has", GATE, "has(self.bundle.labels.hotfix) && self.bundle.labels.hotfix == 'true'"),
        (
            "C2 all",
            "",
            "self.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) || c.securityContext.privileged == false)",
        ),
        ("C3 nested exists", "", "self.spec.containers.exists(c, has(c.env) && c.env.exists(e, e.name == 'SECRET'))"),
        ("map", "", "self.spec.containers.map(c, c.image).exists(i, i.contains('latest'))"),
    ];
    let pod = pod();
    for (name, text, source) in cases {
        let object = Object::parse(if text.is_empty() { &pod } else { text }.to_owned()).unwrap();
        let cel = Cel::default();
        let env = Environment::new(["self"]);
        let options = Options { boolean: true, ..Options::default() };
        let compile = best(|| {
            let _ = std::hint::black_box(cel.compile(source, &env, &options).unwrap());
        });
        let program = cel.compile(source, &env, &options).unwrap();
        let limits = Limits::default();
        let mut arena = Arena::new();
        let run = best(|| {
            {
                let values = [Value::from_node(object.root(), &arena)];
                std::hint::black_box(program.evaluate(&values, &limits, &arena).is_ok());
            }
            arena.reset();
        });
        println!("{name:<18} {run:>8.1} ns   compile {:>6.1} us", compile / 1000.0);
    }
}

/// Nanoseconds of the fastest of several rounds.
fn best(mut run: impl FnMut()) -> f64 {
    let rounds = (0..15).map(|_| {
        let start = Instant::now();
        let mut turns = 0_u32;
        while start.elapsed().as_millis() < 10 {
            (0..64).for_each(|_| run());
            turns += 64;
        }
        start.elapsed().as_nanos() as f64 / f64::from(turns)
    });
    rounds.fold(f64::MAX, f64::min)
}
