//! Whether rules may cost more than Kubernetes allows: each by itself, as often as its place can be in an object, and all of a
//! schema together.

use kanon_lang::{Environment, Language};

use super::declare::Declared;
use crate::{error::FieldError, path::FieldPath, schema::Rule};

/// What one rule may cost, and all rules of a schema.
const RULE_LIMIT: u64 = 10_000_000;
const SCHEMA_LIMIT: u64 = 100_000_000;

/// How many of the dearest rules are named when all together cost too much; those below a hundredth of the limit are not.
const NAMED: usize = 4;

/// What was found so far.
#[derive(Default)]
pub(super) struct Costs {
    total: u64,
    /// The dearest first.
    dearest: Vec<(u64, String)>,
}

impl Costs {
    /// Adds what a rule and its message may cost.
    pub(super) fn rule(
        &mut self,
        rule: &Rule,
        language: &dyn Language,
        env: &Environment,
        declared: Declared,
        place: Place<'_>,
        errors: &mut Vec<FieldError>,
    ) {
        let bounds = [declared.bound.clone(), declared.bound];
        if let Some(cost) = language.worst_cost(&rule.rule, env, &bounds) {
            let at = place.path.child("rule");
            self.add("estimated rule cost", cost.saturating_mul(place.times), &at, errors);
        }
        let message = rule.message_expression.as_deref();
        if let Some(cost) = message.and_then(|it| language.worst_cost(it, env, &bounds)) {
            let at = place.path.child("messageExpression");
            self.add("estimated messageExpression cost", cost, &at, errors);
        }
    }

    fn add(&mut self, what: &str, cost: u64, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
        if cost > RULE_LIMIT {
            errors.push(FieldError::forbidden(path, exceeds(what, cost, RULE_LIMIT)));
        }
        self.total = self.total.saturating_add(cost);
        if cost < SCHEMA_LIMIT / 100 {
            return;
        }
        let at = self.dearest.partition_point(|it| it.0 >= cost);
        if at < NAMED {
            self.dearest.insert(at, (cost, path.to_string()));
            self.dearest.truncate(NAMED);
        }
    }

    /// What is wrong with all rules together, of the schema at `path`.
    pub(super) fn finish(self, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
        if self.total <= SCHEMA_LIMIT {
            return;
        }
        for (_, rule) in &self.dearest {
            let why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            errors.push(FieldError::forbidden(&FieldPath::of(rule), why));
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(FieldError::forbidden(path, exceeds(what, self.total, SCHEMA_LIMIT)));
    }
}

/// Where a rule is.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// The rule's own path.
    pub(super) path: &'p FieldPath<'p>,
    /// How many values there can be in one object.
    pub(super) times: u64,
}

fn exceeds(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = match factor {
        factor if factor > 100.0 => "more than 100x".to_owned(),
        // Never "1.0x".
        factor if factor < 1.5 => format!("{factor:.6}x"),
        factor => format!("{factor:.1}x"),
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength \
         where arrays, maps, and strings are declared)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_as_exact_as_it_helps() {
        let factor = |cost| exceeds("x", cost, RULE_LIMIT).split(' ').nth(6).unwrap_or_default().to_owned();
        assert_eq!(factor(RULE_LIMIT + 1), "1.000000x");
        assert_eq!(factor(25_000_000), "2.5x");
        assert_eq!(factor(u64::MAX), "more");
    }

    #[test]
    fn the_dearest_rules_are_named_when_all_cost_too_much() {
        let mut costs = Costs::default();
        let mut errors = Vec::new();
        for (name, cost) in [
            ("a", 1),
            ("b", 9_000_000),
            ("c", 95_000_000),
            ("d", 2),
            ("e", 2_000_000),
            ("f", 999_999),
            ("g", 1_000_000),
            ("h", 1_500_000),
        ] {
            costs.add("estimated rule cost", cost, &FieldPath::of(name), &mut errors);
        }
        assert_eq!(errors.len(), 1);
        costs.finish(&FieldPath::of("S"), &mut errors);
        let named: Vec<String> =
            errors.iter().map(|it| it.to_string().split(':').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(named, ["c", "c", "b", "e", "h", "S"]);
    }
}
