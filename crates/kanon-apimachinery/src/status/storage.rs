//! Failures about stored objects and their versions, and about who may do what.

use kanon_schema::{Conflict, Conflicts};

use super::{ApiError, Cause, Details, GroupResource};

impl ApiError {
    /// The object is not there.
    pub fn not_found(what: &GroupResource, name: &str) -> ApiError {
        ApiError::about(404, "NotFound", what, name, format!("{what} {name:?} not found"))
    }

    /// The namespace of a new object is not there.
    pub fn namespace_not_found(namespace: &str) -> ApiError {
        ApiError::not_found(&GroupResource::new("", "namespaces"), namespace)
    }

    /// Nothing is served under this path. The shell answers the plain text `404 page not found`.
    pub fn no_such_path() -> ApiError {
        ApiError::new(404, "NotFound", "the server could not find the requested resource")
            .with_details(Details::default())
    }

    /// The name is taken.
    pub fn already_exists(what: &GroupResource, name: &str) -> ApiError {
        ApiError::about(409, "AlreadyExists", what, name, format!("{what} {name:?} already exists"))
    }

    /// The name is taken by an object whose deletion has begun.
    pub fn still_there(what: &GroupResource, name: &str) -> ApiError {
        ApiError::already_exists(what, name).inside("object is being deleted")
    }

    /// The object changed since the client read it.
    pub fn conflict(what: &GroupResource, name: &str) -> ApiError {
        ApiError::conflict_because(
            what,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// A write that cannot be carried out in the object's present state.
    pub fn conflict_because(what: &GroupResource, name: &str, why: &str) -> ApiError {
        let message = format!("Operation cannot be fulfilled on {what} {name:?}: {why}");
        ApiError::about(409, "Conflict", what, name, message)
    }

    /// A deletion's precondition does not hold; `field` is `UID` or `ResourceVersion`, `kind` stands where others name the plural.
    pub fn precondition(kind: &GroupResource, name: &str, field: &str, wanted: &str, found: &str) -> ApiError {
        let since = if field == "UID" { "deleted and then recreated" } else { "modified" };
        let why = format!(
            "the {field} in the precondition ({wanted}) does not match the {field} in record ({found}). The object might have been {since}"
        );
        ApiError::conflict_because(kind, name, &why)
    }

    /// The object of this name is another than the writer means. Upstream's store says it in words of its own.
    pub fn other_uid(what: &GroupResource, key: &str, name: &str, wanted: &str, found: &str) -> ApiError {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
        );
        ApiError::conflict_because(what, name, &why)
    }

    /// Others own fields that an apply would change.
    pub fn apply_conflict(conflicts: &Conflicts) -> ApiError {
        let cause = |it: &Conflict| {
            Cause::new("FieldManagerConflict", it.path.as_str(), format!("conflict with {}", it.owner()))
        };
        let causes = conflicts.0.iter().map(cause).collect();
        ApiError::new(409, "Conflict", conflicts.to_string()).with_details(Details { causes, ..Details::default() })
    }

    /// The snapshot or the events asked for are gone.
    pub fn expired(message: impl Into<String>) -> ApiError {
        ApiError::new(410, "Expired", message)
    }

    /// A watch from a version whose events are gone.
    pub fn too_old(asked: u64, oldest: u64) -> ApiError {
        ApiError::expired(format!("too old resource version: {asked} ({oldest})"))
    }

    /// A continue token whose snapshot is gone.
    pub fn continue_expired() -> ApiError {
        ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
        )
    }

    /// A read at a version that the store has not reached.
    pub fn future_revision(asked: u64, current: u64) -> ApiError {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let causes = vec![Cause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            field: String::new(),
        }];
        ApiError::new(504, "Timeout", message).with_details(Details {
            causes,
            retry_after: Some(1),
            ..Details::default()
        })
    }

    /// The user is unknown.
    pub fn unauthorized() -> ApiError {
        ApiError::new(401, "Unauthorized", "Unauthorized")
    }

    /// The user may not; `why` begins after `is forbidden: `.
    pub fn forbidden(what: &GroupResource, name: &str, why: &str) -> ApiError {
        let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        ApiError::about(403, "Forbidden", what, name, format!("{what}{named} is forbidden: {why}"))
    }

    /// The user may not use a path that is no resource.
    pub fn forbidden_path(user: &str, verb: &str, path: &str) -> ApiError {
        let message = format!("forbidden: User {user:?} cannot {verb} path {path:?}");
        ApiError::new(403, "Forbidden", message).with_details(Details::default())
    }

    /// Nothing new goes into a namespace that is being deleted.
    pub fn namespace_terminating(what: &GroupResource, name: &str, namespace: &str) -> ApiError {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut error = ApiError::forbidden(what, name, &why);
        if let Some(details) = &mut error.details {
            let message = format!("namespace {namespace} is being terminated");
            details.causes = vec![Cause::new("NamespaceTerminating", "metadata.namespace", message)];
        }
        error
    }

    /// `default`, `kube-system` and `kube-public` stay.
    pub fn namespace_may_not_be_deleted(name: &str) -> ApiError {
        ApiError::forbidden(&GroupResource::new("", "namespaces"), name, "this namespace may not be deleted")
    }

    /// Too much at once; the client may try again.
    pub fn too_many_requests(message: impl Into<String>, retry_after: Option<u32>) -> ApiError {
        ApiError::new(429, "TooManyRequests", message).with_details(Details { retry_after, ..Details::default() })
    }

    /// An eviction that a disruption budget does not allow (spec 4.1).
    pub fn disruption_budget(budget: &str, needed: i64, healthy: i64) -> ApiError {
        let why = format!("The disruption budget {budget} needs {needed} healthy pods and has {healthy} currently");
        ApiError::not_evicted(&why)
    }

    /// An eviction while the disruption controller has not yet counted for the budget as it is.
    pub fn disruption_budget_unseen(budget: &str) -> ApiError {
        ApiError::not_evicted(&format!("The disruption budget {budget} is still being processed by the server."))
    }

    fn not_evicted(why: &str) -> ApiError {
        let cause = Cause::new("DisruptionBudget", "", why);
        ApiError::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
            .with_details(Details { causes: vec![cause], ..Details::default() })
    }
}
