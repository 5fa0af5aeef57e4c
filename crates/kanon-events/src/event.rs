//! One event, whichever source told of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kanon_core::{Object, Resource, UserInfo};

use crate::class::{Class, OTHER, classes};

/// Who told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The API server's audit.
    Audit,
    /// A review of admission, before anything happened.
    Admission,
}

impl Source {
    /// The word that rules see.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Audit => "audit",
            Source::Admission => "admission",
        }
    }
}

/// A request that was answered, or is about to be.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who told of it.
    pub source: Source,
    /// The audit's id; of a review, the review's.
    pub id: String,
    /// When the request arrived.
    pub time: Timestamp,
    /// The audit's stage; empty for a review.
    pub stage: String,
    /// What is done; `create` for streams, however they were asked for.
    pub verb: String,
    /// The verb as it came.
    pub raw_verb: String,
    /// The resource addressed; all empty for a path that is none.
    pub resource: Resource,
    /// Its part, such as `exec`.
    pub sub_resource: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object; empty for collections.
    pub name: String,
    /// Who asked. A review tells of the impersonated user only.
    pub user: UserInfo,
    /// As whom, if as somebody else.
    pub impersonated: Option<UserInfo>,
    /// Where the request came from.
    pub source_ips: Vec<String>,
    /// The client.
    pub user_agent: String,
    /// Path and query.
    pub uri: String,
    /// The answer's HTTP status, where there is one yet.
    pub code: Option<u16>,
    /// What the API server noted.
    pub annotations: BTreeMap<String, String>,
    /// The body of the request where it is known; of a stream its options.
    pub object: Option<Object>,
    /// Whether it came to nothing: somebody refused it, or it failed.
    pub is_refused: bool,
    /// Its classes, the most telling one first.
    pub classes: Vec<Class>,
}

impl Event {
    /// An event of nothing; for [`Event::classified`] to complete.
    pub(crate) fn empty() -> Event {
        Event {
            source: Source::Audit,
            id: String::new(),
            time: Timestamp::UNIX_EPOCH,
            stage: String::new(),
            verb: String::new(),
            raw_verb: String::new(),
            resource: Resource::default(),
            sub_resource: String::new(),
            namespace: String::new(),
            name: String::new(),
            user: UserInfo::default(),
            impersonated: None,
            source_ips: Vec::new(),
            user_agent: String::new(),
            uri: String::new(),
            code: None,
            annotations: BTreeMap::new(),
            object: None,
            is_refused: false,
            classes: Vec::new(),
        }
    }

    /// The same with its classes, and with the verb that rules see.
    pub(crate) fn classified(mut self) -> Event {
        self.classes = classes(&self);
        let is_stream = self.classes.iter().any(|it| it.is_stream());
        self.verb = if is_stream { "create".to_owned() } else { self.raw_verb.clone() };
        self
    }

    /// The word of its first class, or `other`: what violations are called after.
    pub fn class(&self) -> &'static str {
        self.classes.first().map_or(OTHER, |it| it.as_str())
    }

    /// The container that it is about: named by the options of a stream or of a reading of output. Empty when none is.
    pub fn container(&self) -> &str {
        let names_one = matches!(&*self.sub_resource, "exec" | "attach" | "log");
        self.object.as_ref().filter(|_| names_one).map_or("", |it| it.str_at(&["container"]))
    }

    /// The name under which the request was allowed or not.
    pub(crate) fn acting_user(&self) -> &str {
        &self.impersonated.as_ref().unwrap_or(&self.user).username
    }

    /// Whether it is a connection to a container or a port.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(&*self.sub_resource, "exec" | "attach" | "portforward")
    }

    /// Whether both sources may tell of it.
    pub(crate) fn is_told_twice(&self) -> bool {
        let part = self.sub_resource.as_str();
        match (&*self.resource.group, &*self.resource.resource) {
            ("", "pods") => self.is_stream() || matches!(part, "ephemeralcontainers" | "eviction"),
            ("", "serviceaccounts") => part == "token",
            _ => part == "scale",
        }
    }
}
