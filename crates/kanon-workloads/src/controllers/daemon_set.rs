//! Daemon sets: one pod on every node that will have it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    claim::claim,
    replicas::is_available,
    revisions::{self, Revision},
    template::{self, Namer},
};
use crate::{
    Actor, Kind,
    cluster::Known,
    pods::fit::{KEEPING_AWAY, Machine},
    step::Step,
    value::{count, int, int_or_percent, list, set_or_unset, text},
};

const GENERATION: &str = "pod-template-generation";
/// Taints that every daemon's pod tolerates: keys and effects.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

struct Set<'a> {
    value: &'a Value,
    /// The template with what every daemon's pod tolerates.
    template: Value,
    present: Revision,
    /// By node, oldest first.
    pods: BTreeMap<String, Vec<Arc<Known>>>,
    min_ready: i64,
}

/// What a status counts, node by node.
#[derive(Default)]
struct Counts {
    desired: i64,
    scheduled: i64,
    misscheduled: i64,
    ready: i64,
    available: i64,
    updated: i64,
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    step.actor = Actor::Controller { account: "daemon-set-controller", component: "daemonset-controller" };
    let value = item.value();
    let all = claim(step, Kind::Pod);
    let revisions = revisions::all(step);
    let Some(present) = revisions::present(step, &value, &revisions) else { return };
    let mut set = Set {
        template: tolerant(&value["spec"]["template"]),
        value: &value,
        present,
        pods: BTreeMap::new(),
        min_ready: int(&value["spec"]["minReadySeconds"]),
    };
    let mut sorted = all;
    sorted.sort_by(|a, b| (&a.created, &a.name).cmp(&(&b.created, &b.name)));
    for pod in sorted {
        set.pods.entry(node_of(&pod)).or_default().push(pod);
    }
    let machines = step.machines();
    if !item.deleting {
        set.place(step, &machines);
        if text(&value["spec"]["updateStrategy"]["type"]) != "OnDelete" {
            set.replace(step, &machines);
        }
    }
    let status = set.status(step, &machines);
    step.status(item, value.clone(), status);
    let pods: Vec<&Arc<Known>> = set.pods.values().flatten().collect();
    let is_live = |it: &Revision| {
        let hash = it.hash(&item.name);
        it.name == set.present.name
            || pods.iter().any(|pod| pod.labels.get(revisions::HASH).is_some_and(|it| it == hash))
    };
    revisions::clean(step, &value, &revisions, is_live);
}

/// The node a pod is on, or is meant for.
fn node_of(pod: &Known) -> String {
    let bound = pod.pod.as_ref().map(|it| it.node.clone()).unwrap_or_default();
    if !bound.is_empty() {
        return bound;
    }
    let affinity =
        pod.object.at(&["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
    let terms = affinity.map(|it| it.to_value()).unwrap_or_default();
    let mut fields = list(&terms["nodeSelectorTerms"]).flat_map(|it| list(&it["matchFields"]));
    fields.next().map(|it| text(&it["values"][0]).to_owned()).unwrap_or_default()
}

fn tolerant(template: &Value) -> Value {
    let mut template = template.clone();
    let spec = &mut template["spec"];
    let on_host = spec["hostNetwork"] == true;
    if !spec["tolerations"].is_array() {
        spec["tolerations"] = json!([]);
    }
    if let Some(tolerations) = spec["tolerations"].as_array_mut() {
        let network = on_host.then_some(("node.kubernetes.io/network-unavailable", "NoSchedule"));
        for (key, effect) in TOLERATED.into_iter().chain(network) {
            let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
            if !tolerations.contains(&toleration) {
                tolerations.push(toleration);
            }
        }
    }
    template
}

impl Set<'_> {
    fn should_run(&self, machine: &Machine) -> bool {
        let spec = &self.template["spec"];
        machine.is_wanted(spec) && machine.untolerated(spec, &KEEPING_AWAY).is_none()
    }

    /// What runs there already may stay unless a taint drives it out.
    fn may_stay(&self, machine: &Machine) -> bool {
        let spec = &self.template["spec"];
        machine.is_wanted(spec) && machine.untolerated(spec, &["NoExecute"]).is_none()
    }

    fn on(&self, node: &str) -> &[Arc<Known>] {
        self.pods.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    fn is_new(&self, pod: &Known, set: &str) -> bool {
        pod.labels.get(revisions::HASH).is_some_and(|it| it == self.present.hash(set))
    }

    fn max(&self, name: &str, machines: &[Machine]) -> i64 {
        let desired = count(machines.iter().filter(|it| self.should_run(it)).count());
        let figure = &self.value["spec"]["updateStrategy"]["rollingUpdate"][name];
        int_or_percent(figure, desired, true).unwrap_or_default().max(0)
    }

    /// A pod where one is missing; none where it must not be, and none twice.
    fn place(&self, step: &mut Step<'_>, machines: &[Machine]) {
        let surge = self.max("maxSurge", machines);
        let mut namer = Namer::new();
        for machine in machines {
            let pods = self.on(&machine.name);
            if self.should_run(machine) && pods.is_empty() {
                self.create(step, &mut namer, &machine.name);
                continue;
            }
            if !self.may_stay(machine) {
                pods.iter().filter(|it| !it.deleting).for_each(|it| self.remove(step, it));
                continue;
            }
            for pod in pods.iter().filter(|it| !it.deleting && !it.is_active()) {
                let message = format!(
                    "Found failed daemon pod {}/{} on node {}, will try to kill it",
                    pod.namespace, pod.name, machine.name
                );
                step.delete(pod, None);
                step.warning(step.item, "FailedDaemonPod", &message);
            }
            let set = &step.item.name;
            let active: Vec<&Arc<Known>> = pods.iter().filter(|it| it.is_active()).collect();
            // With a surge the new pod may stand beside the old one.
            let pair = surge > 0 && active.len() == 2 && active.iter().filter(|it| self.is_new(it, set)).count() == 1;
            if !pair {
                active.into_iter().skip(1).for_each(|it| self.remove(step, it));
            }
        }
        let known = |node: &str| machines.iter().any(|it| it.name == node);
        for pod in self.pods.iter().filter(|(node, _)| !known(node)).flat_map(|(_, pods)| pods) {
            if !pod.deleting {
                self.remove(step, pod);
            }
        }
    }

    fn create(&self, step: &mut Step<'_>, namer: &mut Namer, node: &str) {
        if step.refusal.is_some() {
            return;
        }
        let item = step.item;
        let mut pod = template::pod(step, &self.template);
        pod["metadata"]["labels"][revisions::HASH] = self.present.hash(&item.name).into();
        pod["metadata"]["labels"][GENERATION] = self.value["metadata"]["generation"].to_string().into();
        pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = json!({
            "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}],
        });
        let name = namer.name(step, &mut pod, &format!("{}-", item.name));
        step.create(Kind::Pod, pod);
        step.event(item, "SuccessfulCreate", &format!("Created pod: {name}"));
    }

    fn remove(&self, step: &mut Step<'_>, pod: &Known) {
        step.delete(pod, None);
        step.event(step.item, "SuccessfulDelete", &format!("Deleted pod: {}", pod.name));
    }

    /// Pods of old templates give way, as many at a time as may be missed or may stand beside each other.
    fn replace(&self, step: &mut Step<'_>, machines: &[Machine]) {
        let (surge, unavailable) = (self.max("maxSurge", machines), self.max("maxUnavailable", machines));
        let name = step.item.name.clone();
        let wanted: Vec<&Machine> = machines.iter().filter(|it| self.should_run(it)).collect();
        let mut out_of_order = 0;
        let mut old: Vec<Arc<Known>> = Vec::new();
        let mut beside = 0;
        let mut namer = Namer::new();
        for machine in &wanted {
            let active: Vec<&Arc<Known>> = self.on(&machine.name).iter().filter(|it| it.is_active()).collect();
            let well = active.iter().filter(|it| is_available(step, it, self.min_ready)).count();
            out_of_order += i64::from(well == 0);
            beside += i64::from(active.len() > 1);
            for pod in active.iter().filter(|it| !self.is_new(it, &name)) {
                let new_is_well =
                    active.iter().any(|it| self.is_new(it, &name) && is_available(step, it, self.min_ready));
                if new_is_well || !is_available(step, pod, self.min_ready) {
                    // Nothing is lost with it.
                    self.remove(step, pod);
                } else if active.len() == 1 {
                    old.push(Arc::clone(pod));
                }
            }
        }
        for pod in old {
            if surge > 0 {
                if beside < surge {
                    beside += 1;
                    let node = node_of(&pod);
                    self.create(step, &mut namer, &node);
                }
            } else if out_of_order < unavailable.max(1) {
                out_of_order += 1;
                self.remove(step, &pod);
            }
        }
    }

    fn status(&self, step: &mut Step<'_>, machines: &[Machine]) -> Value {
        let set = step.item.name.clone();
        let mut counts = Counts::default();
        for machine in machines {
            let pods = self.on(&machine.name);
            let live: Vec<&Arc<Known>> = pods.iter().filter(|it| it.is_active()).collect();
            if !self.should_run(machine) {
                counts.misscheduled += i64::from(!live.is_empty() && !self.may_stay(machine));
                if !self.may_stay(machine) || live.is_empty() {
                    continue;
                }
            }
            counts.desired += 1;
            // The newest has the word.
            let Some(pod) = live.last() else { continue };
            counts.scheduled += 1;
            counts.ready += i64::from(live.iter().any(|it| it.ready_since().is_some()));
            counts.available += i64::from(live.iter().any(|it| is_available(step, it, self.min_ready)));
            counts.updated += i64::from(self.is_new(pod, &set));
        }
        let mut status = self.value["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        for (name, number) in [
            ("currentNumberScheduled", counts.scheduled),
            ("desiredNumberScheduled", counts.desired),
            ("numberMisscheduled", counts.misscheduled),
            ("numberReady", counts.ready),
        ] {
            status[name] = number.into();
        }
        for (name, number) in [
            ("numberAvailable", counts.available),
            ("numberUnavailable", counts.desired - counts.available),
            ("updatedNumberScheduled", counts.updated),
        ] {
            set_or_unset(&mut status, name, number.into());
        }
        status["observedGeneration"] = self.value["metadata"]["generation"].clone();
        status
    }
}
