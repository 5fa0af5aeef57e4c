//! The audit: 50 rules over 100,000 stored objects, on one core; and what one changed pod costs then.

use std::time::Instant;

use kanon_core::{Object, PolicyFile};
use serde_json::{Value, json};

use super::{process::resident, samples, world::World};
use crate::{cluster, median, report};

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

fn rules(round: usize) -> PolicyFile {
    let all: Value = (0..RULES).map(|n| rule(n, round)).collect();
    PolicyFile { path: "rules.yaml".into(), text: all.to_string().into() }
}

fn rule(n: usize, round: usize) -> Value {
    let text = TEMPLATES[n % TEMPLATES.len()].replace('$', &format!("{n}{round}"));
    json!({"name": format!("rule-{n}"), "enabled": true, "severity": "high", "mode": ["audit"], "rule": text,
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
}

/// Prints the figures.
pub(crate) fn run() -> anyhow::Result<()> {
    // The first of the sample's pods that nothing is wrong with, and the sample as it is.
    let clean = |n: usize| {
        let mut pod = samples::pod(1);
        pod["metadata"]["name"] = json!(format!("web-{n}"));
        pod["metadata"]["namespace"] = json!(format!("team-{}", n % 7));
        pod["metadata"]["uid"] = json!(n.to_string());
        Object::from_value(&pod)
    };
    let before = resident("self")?;
    let mut world = World::new((0..OBJECTS).map(clean));
    let pairs = (OBJECTS * RULES) as f64;
    let first = world.sweep(rules(0));
    let times: Vec<_> = (1..6).map(|round| world.sweep(rules(round)).as_secs_f64()).collect();
    let warm = median(times);
    let what = format!("audit: {OBJECTS} objects × {RULES} rules, nothing violated");
    report(&what, &format!("{warm:.2} s ({:.1} M pairs/s)", pairs / warm / 1e6), "≤ 0.5 s, ≥ 10 M/s", "one core");
    report("audit: the first time", &format!("{:.2} s", first.as_secs_f64()), "-", "rules compiled, caches cold");

    let figure = format!("{:.0} MB", resident("self")? - before);
    report(&format!("audit: memory with {OBJECTS} pods and {RULES} rules"), &figure, "≤ 512 MiB", "spec, 5.5");

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
    let mut world = World::new(sample);
    let dense = world.sweep(rules(0));
    report(
        "audit: the same on pods of which 40 % violate",
        &format!("{:.2} s", dense.as_secs_f64()),
        "-",
        "every finding with its evidence",
    );

    let [whole, parts, few] = kept(10_000);
    let figure = format!("{whole} bytes whole, {parts} as these rules read it, {few} without the one about volumes");
    report("audit: a pod of a generated cluster in the cache", &figure, "-", "with its index");
    mixed(World::new(cluster::objects(OBJECTS, 1)));
    Ok(())
}

/// Bytes that a pod of a generated cluster takes in the cache: all of it, what the sample's rules read of it, and what they do
/// without the one about volumes.
fn kept(objects: usize) -> [usize; 3] {
    let mut pods = cluster::objects(objects, 1);
    pods.retain(|it| it.str_at(&["kind"]) == "Pod");
    let bytes = |world: &World| world.memory().0 / pods.len().max(1);
    let whole = World::new(pods.iter().cloned());
    let few: Value = (0..TEMPLATES.len()).filter(|n| !TEMPLATES[*n].contains("volumes")).map(|n| rule(n, 0)).collect();
    let few = PolicyFile { path: "rules.yaml".into(), text: few.to_string().into() };
    [bytes(&whole), bytes(&World::kept(&pods, rules(0)).0), bytes(&World::kept(&pods, few).0)]
}

/// The same rules, about pods and what makes them, over a cluster as they are found.
fn mixed(mut world: World) {
    let first = world.sweep(rules(0));
    let times: Vec<_> = (1..4).map(|round| world.sweep(rules(round)).as_secs_f64()).collect();
    let figure = format!("{:.2} s, then {:.2} s", first.as_secs_f64(), median(times));
    report(
        &format!("audit: a generated cluster of {OBJECTS} objects"),
        &figure,
        "-",
        "pods are a third; faults as found",
    );
    let (cached, text) = world.memory();
    let figure = format!("{:.3} × its JSON, {:.0} MB", cached as f64 / text as f64, cached as f64 / 1e6);
    report("  memory of its objects in the cache", &figure, "≤ 1.3 ×", "with their index");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_pod_no_more_is_kept_than_rules_read() {
        let [whole, parts, few] = kept(1500);
        assert!(few < parts && parts < whole, "{whole} bytes, {parts}, {few}");
    }
}
