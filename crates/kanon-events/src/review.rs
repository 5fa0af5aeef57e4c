//! Reviews of admission as events (spec/rules 7.2): what works on clusters whose audit nobody can configure, before it happens.

use jiff::Timestamp;
use kanon_core::{Operation, Review};

use crate::event::{Event, Source};

/// The event that a review tells of; none for ordinary writes of objects. `now` is when it was asked.
pub fn of_review(review: &Review, now: Timestamp) -> Option<Event> {
    let resource = &review.resource;
    let raw_verb = match (review.operation, &*resource.group, &*resource.resource, &*review.sub_resource) {
        (Operation::Connect, "", "pods", "exec" | "attach" | "portforward")
        | (Operation::Create, "", "pods", "eviction")
        | (Operation::Create, "", "serviceaccounts", "token") => "create",
        (Operation::Update, "", "pods", "ephemeralcontainers") | (Operation::Update, _, _, "scale") => "update",
        _ => return None,
    };
    let event = Event {
        source: Source::Admission,
        id: review.uid.clone(),
        time: now,
        raw_verb: raw_verb.to_owned(),
        resource: resource.clone(),
        sub_resource: review.sub_resource.clone(),
        namespace: review.namespace.clone(),
        name: review.name.clone(),
        user: review.user.clone(),
        object: review.object.clone(),
        ..Event::empty()
    };
    Some(event.classified())
}

/// Whether a review tells of an event.
pub fn is_event(review: &Review) -> bool {
    of_review(review, Timestamp::UNIX_EPOCH).is_some()
}

/// Whether the object of a review is none that rules are about (`PodExecOptions`, `Scale`, …): they are about its parent.
pub fn asks_about_parent(review: &Review) -> bool {
    review.sub_resource != "ephemeralcontainers" && is_event(review)
}

impl Event {
    /// The same once admission has answered: what was refused there comes to nothing.
    #[must_use]
    pub fn answered(mut self, allowed: bool) -> Event {
        if !allowed {
            self.code = Some(403);
            self.is_refused = true;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::{GroupVersionKind, Object, Resource, UserInfo};

    use super::*;

    fn review(operation: Operation, resource: &str, sub_resource: &str) -> Review {
        Review {
            uid: "u".into(),
            operation,
            kind: GroupVersionKind::new("", "v1", "PodExecOptions"),
            resource: Resource { version: "v1".into(), resource: resource.into(), ..Resource::default() },
            sub_resource: sub_resource.into(),
            namespace: "shop".into(),
            name: "web".into(),
            user: UserInfo { username: "eve".into(), ..UserInfo::default() },
            object: Some(Object::parse(r#"{"container":"app","command":["sh"]}"#).unwrap()),
            old_object: None,
            options: None,
            dry_run: false,
        }
    }

    #[test]
    fn connections_and_parts_of_objects_are_events() {
        use Operation::{Connect, Create, Update};
        for (operation, resource, part, want) in [
            (Connect, "pods", "exec", Some(("create", "exec", true))),
            (Connect, "pods", "attach", Some(("create", "attach", true))),
            (Connect, "pods", "portforward", Some(("create", "port-forward", true))),
            (Connect, "pods", "proxy", None),
            (Create, "pods", "eviction", Some(("create", "other", true))),
            (Update, "deployments", "scale", Some(("update", "other", true))),
            (Create, "serviceaccounts", "token", Some(("create", "token-request", true))),
            (Update, "pods", "ephemeralcontainers", Some(("update", "debug", false))),
            (Create, "pods", "", None),
            (Update, "pods", "status", None),
        ] {
            let review = review(operation, resource, part);
            let event = of_review(&review, Timestamp::UNIX_EPOCH);
            let found = event.as_ref().map(|it| (it.verb.as_str(), it.class(), asks_about_parent(&review)));
            assert_eq!(found, want, "{operation} {resource}/{part}");
        }
        let event = of_review(&review(Connect, "pods", "exec"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((event.container(), event.is_refused), ("app", false));
        let refused = event.answered(false);
        assert_eq!((refused.code, refused.is_refused), (Some(403), true));
    }
}
