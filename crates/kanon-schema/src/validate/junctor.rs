//! `allOf`, `anyOf`, `oneOf` and `not`. Of failed alternatives, the mistakes of the one where most checks applied are told.

use serde_json::Value;

use crate::{
    error::{FieldError, FieldErrorKind},
    gotext,
    path::FieldPath,
    schema::Schema,
    validate::Walk,
};

/// What trying one alternative gave.
struct Attempt {
    count: usize,
    errors: Vec<FieldError>,
}

impl Walk<'_> {
    /// Checks the combinators; gives how many checks applied in them.
    pub(super) fn junctors(&mut self, schema: &Schema, value: &Value, path: &FieldPath<'_>) -> usize {
        let rules = &schema.rules;
        let mut count = 2;
        if !rules.any_of.is_empty() {
            count += self.any_of(&rules.any_of, value, path);
        }
        if !rules.one_of.is_empty() {
            count += self.one_of(&rules.one_of, value, path);
        }
        if !rules.all_of.is_empty() {
            count += self.all_of(&rules.all_of, value, path);
        }
        if let Some(not) = &rules.not
            && self.attempt(not, value, path).errors.is_empty()
        {
            self.junctor_fail(path, "must not validate the schema (not)");
        }
        count
    }

    fn attempt(&self, schema: &Schema, value: &Value, path: &FieldPath<'_>) -> Attempt {
        let mut walk = Walk { patterns: self.patterns, errors: Vec::new() };
        let count = walk.node(schema, value, None, path);
        Attempt { count, errors: walk.errors }
    }

    /// Upstream tells these without a field: the place is in the message.
    fn junctor_fail(&mut self, path: &FieldPath<'_>, detail: &str) {
        let detail = format!("{} {detail}", gotext::quote(&path.name()));
        self.errors.push(FieldError::new(FieldErrorKind::Invalid, &FieldPath::root(), "".into(), detail));
    }

    fn any_of(&mut self, schemas: &[Schema], value: &Value, path: &FieldPath<'_>) -> usize {
        let mut failed = Vec::new();
        for schema in schemas {
            let attempt = self.attempt(schema, value, path);
            if attempt.errors.is_empty() {
                return attempt.count;
            }
            failed.push(attempt);
        }
        self.junctor_fail(path, "must validate at least one schema (anyOf)");
        self.tell_nearest(failed)
    }

    fn one_of(&mut self, schemas: &[Schema], value: &Value, path: &FieldPath<'_>) -> usize {
        let attempts = schemas.iter().map(|it| self.attempt(it, value, path));
        let (fine, failed): (Vec<Attempt>, Vec<Attempt>) = attempts.partition(|it| it.errors.is_empty());
        match fine.as_slice() {
            [one] => return one.count,
            [] => {
                self.junctor_fail(path, "must validate one and only one schema (oneOf). Found none valid");
                return self.tell_nearest(failed);
            }
            several => {
                let found = format!("Found {} valid alternatives", several.len());
                self.junctor_fail(path, &format!("must validate one and only one schema (oneOf). {found}"));
            }
        }
        0
    }

    fn all_of(&mut self, schemas: &[Schema], value: &Value, path: &FieldPath<'_>) -> usize {
        let (mut count, mut fine) = (0, 0);
        for schema in schemas {
            let attempt = self.attempt(schema, value, path);
            fine += usize::from(attempt.errors.is_empty());
            count += attempt.count;
            self.errors.extend(attempt.errors);
        }
        if fine < schemas.len() {
            let tail = if fine == 0 { ". None validated" } else { "" };
            self.junctor_fail(path, &format!("must validate all the schemas (allOf){tail}"));
        }
        count
    }

    fn tell_nearest(&mut self, failed: Vec<Attempt>) -> usize {
        // The first of those that are equally near.
        let nearest = failed.into_iter().reduce(|best, it| if it.count > best.count { it } else { best });
        nearest.map_or(0, |it| {
            self.errors.extend(it.errors);
            it.count
        })
    }
}
