//! May a Bundle leave an environment out? (spec/promotion-gates 2.6.1)

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    collect::{Meta, Role, Scope, is_collected},
    decide::decide,
    facts::{Facts, Key, Target},
    gate::Gate,
};

/// The answer for one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// No gate of the organisation stands there.
    Free,
    /// This gate permits it.
    Permitted {
        /// Its name.
        by: String,
    },
    /// Nothing permits it.
    Denied {
        /// Gates that stand in the way, and what each candidate said.
        message: String,
    },
}

/// Decides about skipping an environment of a Pipeline. `gates` are all that are known.
pub fn skip(
    facts: &Facts,
    gates: &[(Meta, Arc<Gate>)],
    pipeline: &Key,
    bundle: &str,
    environment: &str,
    now: Timestamp,
) -> Skip {
    let Some(found) = facts.pipelines.get(pipeline) else {
        return Skip::Denied { message: format!("there is no Pipeline `{}`", pipeline.1) };
    };
    let org = |role: Role| {
        gates.iter().filter(move |(meta, gate)| {
            meta.role() == role
                && meta.scope(facts) == Scope::Org
                && is_collected(facts, meta, gate, pipeline, found)
                && meta.matches(gate, environment)
        })
    };
    let blocking: Vec<_> = org(Role::Template).map(|(meta, _)| meta.subject.name.clone()).collect();
    if blocking.is_empty() {
        return Skip::Free;
    }
    let target = Target {
        namespace: pipeline.0.clone(),
        pipeline: pipeline.1.clone(),
        environment: environment.to_owned(),
        bundle: bundle.to_owned(),
    };
    let inputs = facts.inputs(&target);
    let mut said = Vec::new();
    for (meta, gate) in org(Role::SkipPermission) {
        let decision = decide(gate, &target, &inputs, now);
        if decision.state.is_ready() {
            return Skip::Permitted { by: meta.subject.name.clone() };
        }
        said.push(format!("; {} ({}): {}", meta.subject.name, gate.message, decision.reason));
    }
    let gates = blocking.join(", ");
    Skip::Denied { message: format!("skip denied for environment \"{environment}\": gates {gates}{}", said.concat()) }
}
