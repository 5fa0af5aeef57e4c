//! Pipelines: their environments and which depends on which (spec/promotion-gates 1.1.2).

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{EnvironmentSpec, ObjectName, PipelineSpec};

/// A Pipeline behind the door.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
    /// In the order of the list.
    pub environments: Vec<Environment>,
    /// Namespaces with gates, besides the policy namespaces and its own.
    pub policy_namespaces: Vec<String>,
    /// Gates that must apply.
    pub required_gates: Vec<ObjectName>,
    /// Suspended.
    pub paused: bool,
}

/// One environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Name.
    pub name: String,
    /// `auto` or `pr-review`.
    pub approval: String,
    /// For expressions.
    pub labels: BTreeMap<String, String>,
    /// Environments it directly depends on, in the order of the list.
    pub upstreams: Vec<String>,
}

impl Pipeline {
    /// Checks a Pipeline and works out its edges.
    ///
    /// # Errors
    /// Duplicate or missing names, unknown dependencies, cycles: a fragment that names field and remedy.
    pub fn new(spec: &PipelineSpec, labels: BTreeMap<String, String>) -> Result<Pipeline, String> {
        if spec.environments.is_empty() {
            return Err("`spec.environments` is empty: a Pipeline needs at least one".to_owned());
        }
        let mut names = BTreeSet::new();
        for (at, it) in spec.environments.iter().enumerate() {
            if it.name.is_empty() {
                return Err(format!("`spec.environments[{at}].name` is missing"));
            }
            if !names.insert(it.name.as_str()) {
                return Err(format!("`spec.environments[{at}].name`: there are two environments `{}`", it.name));
            }
        }
        for it in &spec.environments {
            if let Some(unknown) = it.depends_on.iter().find(|name| !names.contains(name.as_str())) {
                let known = names.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "`spec.environments[{}].dependsOn` names `{unknown}`, which is no environment: there are {known}",
                    it.name
                ));
            }
        }
        let environments = (0..spec.environments.len()).map(|at| environment(&spec.environments, at)).collect();
        let pipeline = Pipeline {
            labels,
            environments,
            policy_namespaces: spec.policy_namespaces.clone(),
            required_gates: spec.policy_gates.clone(),
            paused: spec.paused,
        };
        match pipeline.cycle() {
            Some(path) => {
                Err(format!("circular dependency {}. Fix: remove one of these from `dependsOn`", path.join(" → ")))
            }
            None => Ok(pipeline),
        }
    }

    /// The environment called `name`.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|it| it.name == name)
    }

    /// Names of all environments.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.environments.iter().map(|it| it.name.as_str())
    }

    /// Environments that a Bundle with this intent passes through: up to the target, without those it skips.
    pub fn included<'p>(&'p self, target: &str, skip: &[String]) -> Vec<&'p Environment> {
        let ancestors = (!target.is_empty()).then(|| self.with_ancestors(target));
        let wanted = |it: &&Environment| {
            !skip.contains(&it.name) && ancestors.as_ref().is_none_or(|all| all.contains(it.name.as_str()))
        };
        self.environments.iter().filter(wanted).collect()
    }

    /// The direct upstreams of an environment after skipped ones were bridged over.
    pub fn upstreams(&self, name: &str, skip: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([name]);
        let direct = |name: &str| self.environment(name).map(|it| it.upstreams.as_slice()).unwrap_or_default();
        let mut open: Vec<&str> = direct(name).iter().rev().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            if skip.iter().any(|it| it == name) {
                open.extend(direct(name).iter().rev().map(String::as_str));
            } else {
                found.push(name.to_owned());
            }
        }
        found
    }

    /// An environment and everything it depends on.
    pub fn with_ancestors(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = self.environment(name).map(|it| it.name.as_str()).into_iter().collect();
        while let Some(name) = open.pop() {
            if found.insert(name)
                && let Some(environment) = self.environment(name)
            {
                open.extend(environment.upstreams.iter().map(String::as_str));
            }
        }
        found
    }

    /// A way along the edges that comes back to where it began.
    fn cycle(&self) -> Option<Vec<String>> {
        let mut done = BTreeSet::new();
        for start in self.names() {
            // Depth first without recursion: the path, and for each of its members how many upstreams were looked at.
            let mut path: Vec<(&str, usize)> = vec![(start, 0)];
            while let Some((name, next)) = path.last_mut() {
                let upstreams = self.environment(name).map(|it| it.upstreams.as_slice()).unwrap_or_default();
                let Some(upstream) = upstreams.get(*next) else {
                    done.insert(*name);
                    path.pop();
                    continue;
                };
                *next += 1;
                if let Some(at) = path.iter().position(|(name, _)| name == upstream) {
                    let mut members: Vec<_> = path[at..].iter().map(|(name, _)| (*name).to_owned()).collect();
                    members.push(upstream.clone());
                    return Some(members);
                }
                if !done.contains(upstream.as_str()) {
                    path.push((upstream, 0));
                }
            }
        }
        None
    }
}

/// One environment with its edges: explicit ones and those of its wave; otherwise the one before it in the list. Wave 1
/// follows the last environment without a wave that stands before the first one with a wave (1.1.2).
fn environment(all: &[EnvironmentSpec], at: usize) -> Environment {
    let spec = &all[at];
    let mut upstreams = spec.depends_on.clone();
    match spec.wave {
        Some(1) => {
            let first = all.iter().position(|it| it.wave.is_some()).unwrap_or(0);
            upstreams.extend(first.checked_sub(1).map(|at| all[at].name.clone()));
        }
        Some(wave) => {
            let before = all.iter().filter(|it| it.wave == Some(wave - 1));
            upstreams.extend(before.map(|it| it.name.clone()));
        }
        None if upstreams.is_empty() => upstreams.extend(at.checked_sub(1).map(|at| all[at].name.clone())),
        None => {}
    }
    let position = |name: &String| all.iter().position(|it| it.name == *name);
    upstreams.sort_by_key(position);
    upstreams.dedup();
    let approval = match spec.approval.as_str() {
        "" if spec.pr => "pr-review",
        "" => "auto",
        other => other,
    };
    Environment { name: spec.name.clone(), approval: approval.to_owned(), labels: spec.labels.clone(), upstreams }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(environments: serde_json::Value) -> Result<Pipeline, String> {
        let spec = serde_json::from_value(serde_json::json!({"environments": environments})).unwrap();
        Pipeline::new(&spec, BTreeMap::new())
    }

    fn edges(environments: serde_json::Value) -> String {
        let pipeline = pipeline(environments).unwrap();
        let edge = |it: &Environment| format!("{}<-{}", it.name, it.upstreams.join("+"));
        pipeline.environments.iter().map(edge).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn edges_follow_the_list_dependencies_and_waves() {
        use serde_json::json;
        let names = json!([{"name": "test"}, {"name": "uat"}, {"name": "prod"}]);
        assert_eq!(edges(names), "test<- uat<-test prod<-uat");
        let diamond = json!([{"name": "a"}, {"name": "b", "dependsOn": ["a"]}, {"name": "c", "dependsOn": ["a"]},
            {"name": "d", "dependsOn": ["c", "b"]}]);
        assert_eq!(edges(diamond), "a<- b<-a c<-a d<-b+c");
        let waves = json!([{"name": "test"}, {"name": "eu", "wave": 1}, {"name": "us", "wave": 1},
            {"name": "asia", "wave": 2, "dependsOn": ["test"]}]);
        assert_eq!(edges(waves), "test<- eu<-test us<-test asia<-test+eu+us");
        assert_eq!(edges(json!([{"name": "eu", "wave": 1}, {"name": "us", "wave": 2}])), "eu<- us<-eu");
    }

    #[test]
    fn mistakes_name_what_is_wrong() {
        use serde_json::json;
        let check = |environments, want: &str| {
            let problem = pipeline(environments).unwrap_err();
            assert!(problem.contains(want), "{problem}");
        };
        check(json!([]), "is empty");
        check(json!([{"name": "a"}, {"name": "a"}]), "two environments `a`");
        check(json!([{"name": "a", "dependsOn": ["b"]}]), "names `b`");
        check(json!([{"name": "a", "dependsOn": ["a"]}]), "a → a");
        let circle = json!([{"name": "a", "dependsOn": ["c"]}, {"name": "b", "dependsOn": ["a"]},
            {"name": "c", "dependsOn": ["b"]}]);
        check(circle, "circular dependency a → c → b → a. Fix:");
    }

    #[test]
    fn skipped_environments_are_bridged_and_targets_end_the_way() {
        let pipeline = pipeline(serde_json::json!([{"name": "test"}, {"name": "uat"}, {"name": "prod"}])).unwrap();
        assert_eq!(pipeline.upstreams("prod", &["uat".into()]), ["test"]);
        assert_eq!(pipeline.upstreams("prod", &["uat".into(), "test".into()]), Vec::<String>::new());
        let names = |target: &str, skip: &[String]| {
            pipeline.included(target, skip).iter().map(|it| it.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("uat", &[]), ["test", "uat"]);
        assert_eq!(names("", &["uat".into()]), ["test", "prod"]);
    }
}
