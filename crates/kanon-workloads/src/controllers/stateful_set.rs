//! Stateful sets: pods with numbers, made, replaced and removed in order unless told otherwise.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    claim::claim,
    replicas::{BURST, available, is_available},
    revisions::{self, Revision},
    template,
};
use crate::{
    Actor, Kind,
    cluster::{Known, Phase},
    step::{Step, controlled_by},
    value::{count, int, list, set_or_unset, text},
};

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const INDEX: &str = "apps.kubernetes.io/pod-index";

/// A set with its pods and the two revisions that they may have.
struct Set<'a> {
    value: &'a Value,
    pods: BTreeMap<i64, Arc<Known>>,
    current: Revision,
    update: Revision,
    start: i64,
    replicas: i64,
    in_order: bool,
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    step.actor = Actor::Controller { account: "statefulset-controller", component: "statefulset-controller" };
    let value = item.value();
    let all = claim(step, Kind::Pod);
    let revisions = revisions::all(step);
    let Some(update) = revisions::present(step, &value, &revisions) else { return };
    let named = text(&value["status"]["currentRevision"]);
    let current = revisions.iter().find(|it| it.name == named).cloned().unwrap_or_else(|| update.clone());
    let numbered = all.into_iter().filter_map(|it| Some((number(&item.name, &it.name)?, it)));
    let set = Set {
        value: &value,
        pods: numbered.collect(),
        current,
        update,
        start: int(&value["spec"]["ordinals"]["start"]),
        replicas: int(&value["spec"]["replicas"]),
        in_order: text(&value["spec"]["podManagementPolicy"]) != "Parallel",
    };
    if !item.deleting {
        set.act(step);
    }
    let status = set.status(step);
    step.status(item, value.clone(), status);
    let has = |it: &Revision| set.pods.values().any(|pod| set.has(pod, it));
    let is_live = |it: &Revision| it.name == set.current.name || it.name == set.update.name || has(it);
    revisions::clean(step, &value, &revisions, is_live);
}

/// A pod's number: what follows the set's name.
fn number(set: &str, pod: &str) -> Option<i64> {
    pod.strip_prefix(set)?.strip_prefix('-')?.parse().ok()
}

impl Set<'_> {
    fn has(&self, pod: &Known, revision: &Revision) -> bool {
        pod.labels.get(revisions::HASH).is_some_and(|it| *it == revision.name)
    }

    fn min_ready(&self) -> i64 {
        int(&self.value["spec"]["minReadySeconds"])
    }

    fn partition(&self) -> i64 {
        self.start + int(&self.value["spec"]["updateStrategy"]["rollingUpdate"]["partition"])
    }

    fn rolls(&self) -> bool {
        text(&self.value["spec"]["updateStrategy"]["type"]) != "OnDelete"
    }

    /// Makes what is missing, removes what is too much, replaces what is old: one thing at a time where order counts.
    fn act(&self, step: &mut Step<'_>) {
        let numbers = self.start..self.start + self.replicas;
        let mut made = 0;
        for number in numbers.clone() {
            made += usize::from(!self.pods.contains_key(&number));
            let settled = self.settle(step, number);
            if (self.in_order && !settled) || made >= BURST {
                return;
            }
        }
        for (_, pod) in self.pods.iter().rev().filter(|(number, _)| !numbers.contains(number)) {
            if !pod.deleting {
                self.leave_claims_to(step, pod);
                self.remove(step, pod);
            }
            if self.in_order {
                return;
            }
        }
        if self.rolls() {
            self.replace(step, numbers.clone());
        }
    }

    /// Brings one number to where it must be. True when nothing more is to be done or waited for.
    fn settle(&self, step: &mut Step<'_>, number: i64) -> bool {
        let Some(pod) = self.pods.get(&number) else {
            if step.refusal.is_none() {
                self.create(step, number);
            }
            return false;
        };
        let over = pod.pod.as_ref().is_some_and(|it| matches!(it.phase, Phase::Succeeded | Phase::Failed));
        if over && !pod.deleting {
            step.delete(pod, None);
            let message =
                format!("StatefulSet {}/{} is recreating failed Pod {}", pod.namespace, step.item.name, pod.name);
            step.warning(step.item, "RecreatingFailedPod", &message);
            return false;
        }
        !pod.deleting && is_available(step, pod, self.min_ready())
    }

    fn create(&self, step: &mut Step<'_>, number: i64) {
        // Below the partition, and in the middle of an update by hand, pods come back as they were.
        let keeps_old = if self.rolls() {
            number < self.partition()
        } else {
            number < self.start + int(&self.value["status"]["currentReplicas"])
        };
        let revision = if keeps_old { &self.current } else { &self.update };
        let mut pod = template::pod(step, &revision.template());
        let name = format!("{}-{number}", step.item.name);
        pod["metadata"]["name"] = name.as_str().into();
        pod["metadata"]["labels"][revisions::HASH] = revision.name.as_str().into();
        pod["metadata"]["labels"][POD_NAME] = name.as_str().into();
        pod["metadata"]["labels"][INDEX] = number.to_string().into();
        pod["spec"]["hostname"] = name.as_str().into();
        set_or_unset(&mut pod["spec"], "subdomain", self.value["spec"]["serviceName"].clone());
        self.claims(step, &name, &mut pod);
        step.create(Kind::Pod, pod);
        let message = format!("create Pod {name} in StatefulSet {} successful", step.item.name);
        step.event(step.item, "SuccessfulCreate", &message);
    }

    /// The claims of a pod: made once, kept when the pod goes.
    fn claims(&self, step: &mut Step<'_>, pod_name: &str, pod: &mut Value) {
        for template in list(&self.value["spec"]["volumeClaimTemplates"]) {
            let volume = text(&template["metadata"]["name"]);
            let name = format!("{volume}-{pod_name}");
            if !pod["spec"]["volumes"].is_array() {
                pod["spec"]["volumes"] = json!([]);
            }
            if let Some(volumes) = pod["spec"]["volumes"].as_array_mut() {
                volumes.retain(|it| it["name"] != volume);
                volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": name}}));
            }
            if step.cluster.get(Kind::Claim, &step.item.namespace, &name).is_some() {
                continue;
            }
            let mut metadata = json!({"name": name, "namespace": step.item.namespace});
            let labels = self.value["spec"]["selector"]["matchLabels"].clone();
            set_or_unset(&mut metadata, "labels", labels);
            set_or_unset(&mut metadata, "annotations", template["metadata"]["annotations"].clone());
            if text(&self.value["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]) == "Delete" {
                metadata["ownerReferences"] = json!([controlled_by(step.item)]);
            }
            step.create(Kind::Claim, json!({"metadata": metadata, "spec": template["spec"]}));
            let set = &step.item.name;
            let message = format!("create Claim {name} Pod {pod_name} in StatefulSet {set} success");
            step.event(step.item, "SuccessfulCreate", &message);
        }
    }

    /// Where claims go when the set shrinks, those of a pod that is too much become the pod's own: they are collected with it.
    fn leave_claims_to(&self, step: &mut Step<'_>, pod: &Known) {
        if text(&self.value["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"]) != "Delete" {
            return;
        }
        for template in list(&self.value["spec"]["volumeClaimTemplates"]) {
            let name = format!("{}-{}", text(&template["metadata"]["name"]), pod.name);
            let Some(claim) = step.cluster.get(Kind::Claim, &pod.namespace, &name) else { continue };
            let mut value = claim.value();
            value["metadata"]["ownerReferences"] =
                json!([{"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}]);
            step.update(Kind::Claim, value);
        }
    }

    fn remove(&self, step: &mut Step<'_>, pod: &Known) {
        step.delete(pod, None);
        let message = format!("delete Pod {} in StatefulSet {} successful", pod.name, step.item.name);
        step.event(step.item, "SuccessfulDelete", &message);
    }

    /// Replaces pods of other revisions from the last number down to the partition, each when the one after it is well.
    fn replace(&self, step: &mut Step<'_>, numbers: std::ops::Range<i64>) {
        for number in numbers.rev().take_while(|it| *it >= self.partition()) {
            let Some(pod) = self.pods.get(&number) else { return };
            if !self.has(pod, &self.update) && !pod.deleting {
                return self.remove(step, pod);
            }
            if pod.deleting || !is_available(step, pod, self.min_ready()) {
                return;
            }
        }
    }

    fn status(&self, step: &mut Step<'_>) -> Value {
        let active: Vec<Arc<Known>> = self.pods.values().filter(|it| it.is_active()).cloned().collect();
        let of = |revision: &Revision| active.iter().filter(|it| self.has(it, revision)).count();
        let mut status = self.value["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        let (mut current, updated) = (of(&self.current), of(&self.update));
        let ready = active.iter().filter(|it| it.ready_since().is_some()).count();
        let mut current_name = self.current.name.as_str();
        // All are new and well: the update is over.
        let over = updated == active.len() && ready == active.len() && count(active.len()) == self.replicas;
        if over && (self.rolls() || self.current.name == self.update.name) {
            current_name = &self.update.name;
            current = updated;
        }
        status["replicas"] = count(active.len()).into();
        status["availableReplicas"] = count(available(step, &active, self.min_ready())).into();
        for (name, number) in [("readyReplicas", ready), ("currentReplicas", current), ("updatedReplicas", updated)] {
            set_or_unset(&mut status, name, count(number).into());
        }
        status["currentRevision"] = current_name.into();
        status["updateRevision"] = self.update.name.as_str().into();
        if !status["collisionCount"].is_i64() {
            status["collisionCount"] = 0.into();
        }
        status["observedGeneration"] = self.value["metadata"]["generation"].clone();
        status
    }
}
