//! Which node a pod fits: node selector, required node affinity, taints, room for pods. Processors and memory are not counted.

use serde_json::Value;

use crate::{
    cluster::Known,
    selector::Labels,
    value::{is_true, list, text},
};

/// What the scheduler wants to know of a node.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) name: String,
    labels: Labels,
    taints: Vec<Taint>,
    /// How many pods it takes.
    room: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

pub(crate) const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
pub(crate) const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Effects that keep new pods away.
pub(crate) const KEEPING_AWAY: [&str; 2] = ["NoSchedule", "NoExecute"];

impl Machine {
    /// Reads a node. A cordoned one, and one that is not ready, count as tainted even before they are.
    pub(crate) fn of(node: &Known) -> Machine {
        let value = node.value();
        let of = |it: &Value| Taint {
            key: text(&it["key"]).to_owned(),
            value: text(&it["value"]).to_owned(),
            effect: text(&it["effect"]).to_owned(),
        };
        let mut taints: Vec<Taint> = list(&value["spec"]["taints"]).map(of).collect();
        let mut add = |key: &str| {
            if !taints.iter().any(|it| it.key == key && it.effect == "NoSchedule") {
                let taint = Taint { key: key.to_owned(), value: String::new(), effect: "NoSchedule".to_owned() };
                taints.push(taint);
            }
        };
        if value["spec"]["unschedulable"] == true {
            add(UNSCHEDULABLE);
        }
        if !is_true(&value["status"], "Ready") {
            add(NOT_READY);
        }
        let room = match &value["status"]["allocatable"]["pods"] {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_u64().and_then(|it| usize::try_from(it).ok()),
            _ => None,
        };
        Machine { name: node.name.clone(), labels: node.labels.clone(), taints, room: room.unwrap_or(usize::MAX) }
    }

    pub(crate) fn has_effect(&self, effect: &str) -> bool {
        self.taints.iter().any(|it| it.effect == effect)
    }

    /// The first taint with one of these effects that the pod does not tolerate, as upstream prints it.
    pub(crate) fn untolerated(&self, spec: &Value, effects: &[&str]) -> Option<String> {
        let bad = self.taints.iter().find(|it| effects.contains(&it.effect.as_str()) && !is_tolerated(it, spec))?;
        Some(match (bad.key.as_str(), bad.value.as_str()) {
            (UNSCHEDULABLE, _) => "node(s) were unschedulable".to_owned(),
            (key, value) => format!("node(s) had untolerated taint {{{key}: {value}}}"),
        })
    }

    /// Whether node selector and required affinity ask for such a node.
    pub(crate) fn is_wanted(&self, spec: &Value) -> bool {
        let pairs = spec["nodeSelector"].as_object().into_iter().flatten();
        let selected = pairs.into_iter().all(|(key, value)| self.labels.get(key).map(String::as_str) == value.as_str());
        let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        let terms = required["nodeSelectorTerms"].as_array();
        selected && terms.is_none_or(|terms| terms.iter().any(|it| self.meets_term(it)))
    }

    /// Why a pod cannot go there, where `used` pods are already.
    pub(crate) fn refuses(&self, spec: &Value, used: usize) -> Option<String> {
        if let Some(why) = self.untolerated(spec, &KEEPING_AWAY) {
            return Some(why);
        }
        if !self.is_wanted(spec) {
            return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
        }
        (used >= self.room).then(|| "Too many pods".to_owned())
    }

    fn meets_term(&self, term: &Value) -> bool {
        let [expressions, fields] = ["matchExpressions", "matchFields"].map(|it| term[it].as_array());
        if expressions.is_none_or(Vec::is_empty) && fields.is_none_or(Vec::is_empty) {
            return false;
        }
        let by_label = |it: &Value| meets(it, self.labels.get(text(&it["key"])).map(String::as_str));
        let by_field = |it: &Value| it["key"] == "metadata.name" && meets(it, Some(&self.name));
        expressions.into_iter().flatten().all(by_label) && fields.into_iter().flatten().all(by_field)
    }
}

/// Whether a value meets a requirement of a node selector.
fn meets(requirement: &Value, value: Option<&str>) -> bool {
    let mut values = list(&requirement["values"]).map(text);
    let number = |text: &str| text.parse::<i64>().ok();
    match text(&requirement["operator"]) {
        "In" => value.is_some_and(|value| values.any(|it| it == value)),
        "NotIn" => value.is_none_or(|value| values.all(|it| it != value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        operator @ ("Gt" | "Lt") => match (value.and_then(number), values.next().and_then(number)) {
            (Some(have), Some(want)) => {
                if operator == "Gt" {
                    have > want
                } else {
                    have < want
                }
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_tolerated(taint: &Taint, spec: &Value) -> bool {
    list(&spec["tolerations"]).any(|it| {
        let (key, effect) = (text(&it["key"]), text(&it["effect"]));
        let right_value = text(&it["operator"]) == "Exists" || text(&it["value"]) == taint.value;
        (effect.is_empty() || effect == taint.effect)
            && (key == taint.key || (key.is_empty() && it["operator"] == "Exists"))
            && right_value
    })
}
