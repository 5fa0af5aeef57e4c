//! The kinds that take part, and where they are stored.

/// A kind that the simulation reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A machine; ours are pretended.
    Node,
    /// A node's sign of life.
    Lease,
    /// A pod.
    Pod,
    /// A service, whose endpoints are kept.
    Service,
    /// A service's endpoints in the old form.
    Endpoints,
    /// A service's endpoints in the new form.
    EndpointSlice,
    /// A note for people. Written, never read.
    Event,
    /// A persistent volume claim.
    Claim,
    /// A replication controller.
    ReplicationController,
    /// A deployment.
    Deployment,
    /// A replica set.
    ReplicaSet,
    /// A stateful set.
    StatefulSet,
    /// A daemon set.
    DaemonSet,
    /// A remembered pod template.
    ControllerRevision,
    /// A job.
    Job,
    /// A job by the clock.
    CronJob,
    /// A pod disruption budget.
    Budget,
}

/// Group, version, kind and plural.
type Names = (&'static str, &'static str, &'static str, &'static str);

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 17] = [
        Kind::Node,
        Kind::Lease,
        Kind::Pod,
        Kind::Service,
        Kind::Endpoints,
        Kind::EndpointSlice,
        Kind::Event,
        Kind::Claim,
        Kind::ReplicationController,
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ControllerRevision,
        Kind::Job,
        Kind::CronJob,
        Kind::Budget,
    ];

    fn names(self) -> Names {
        match self {
            Kind::Node => ("", "v1", "Node", "nodes"),
            Kind::Lease => ("coordination.k8s.io", "v1", "Lease", "leases"),
            Kind::Pod => ("", "v1", "Pod", "pods"),
            Kind::Service => ("", "v1", "Service", "services"),
            Kind::Endpoints => ("", "v1", "Endpoints", "endpoints"),
            Kind::EndpointSlice => ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            Kind::Event => ("", "v1", "Event", "events"),
            Kind::Claim => ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            Kind::ReplicationController => ("", "v1", "ReplicationController", "replicationcontrollers"),
            Kind::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Kind::ReplicaSet => ("apps", "v1", "ReplicaSet", "replicasets"),
            Kind::StatefulSet => ("apps", "v1", "StatefulSet", "statefulsets"),
            Kind::DaemonSet => ("apps", "v1", "DaemonSet", "daemonsets"),
            Kind::ControllerRevision => ("apps", "v1", "ControllerRevision", "controllerrevisions"),
            Kind::Job => ("batch", "v1", "Job", "jobs"),
            Kind::CronJob => ("batch", "v1", "CronJob", "cronjobs"),
            Kind::Budget => ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        }
    }

    /// The API group; empty for core.
    pub fn group(self) -> &'static str {
        self.names().0
    }

    /// Such as `Deployment`.
    pub fn name(self) -> &'static str {
        self.names().2
    }

    /// Such as `deployments`.
    pub fn plural(self) -> &'static str {
        self.names().3
    }

    /// Such as `apps/v1`.
    pub fn api_version(self) -> String {
        let (group, version, ..) = self.names();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }

    /// Where the store keeps it: `apps/deployments`.
    pub fn prefix(self) -> String {
        let (group, _, _, plural) = self.names();
        format!("{}/{plural}", if group.is_empty() { "core" } else { group })
    }

    /// The kind of a collection (`apps/deployments/`), where it takes part and is read.
    pub fn of_collection(collection: &str) -> Option<Kind> {
        let (group, plural) = collection.trim_end_matches('/').split_once('/')?;
        let group = if group == "core" { "" } else { group };
        let found = Kind::ALL.into_iter().find(|it| it.group() == group && it.plural() == plural);
        found.filter(|it| *it != Kind::Event)
    }

    /// The kind that an owner reference names. Any version of the group will do.
    pub fn of_owner(api_version: &str, name: &str) -> Option<Kind> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Kind::ALL.into_iter().find(|it| it.group() == group && it.name() == name)
    }
}
