//! Looking at stored objects with the rules of a snapshot: what runs on the worker thread. The decision is the one function that
//! admission asks too; here it is asked about many objects, and what it says is gathered for the family.

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{GroupVersionKind, Node, Now, Object, ObjectRef, Verdict};
use kanon_plane::{ObjectName, ObjectStore, Which, Work};

use crate::{
    decide::{Plan, Question, Room, RuleTally, Times},
    index::{Entry, Rules},
    lookups::{picture::Picture, reader::Query},
    rule::Mode,
};

/// What a scan came to.
pub(crate) struct Scanned {
    /// The snapshot that decided.
    pub rules: Arc<Rules>,
    /// What was asked for.
    pub work: Work,
    /// The last of them; `None` where nothing follows.
    pub next: Option<ObjectName>,
    /// The sum over all objects, one a rule that was evaluated.
    pub rows: Vec<RuleTally>,
    /// The last object on which a rule failed, by position of its entry.
    pub failed: Vec<(usize, ObjectRef)>,
    /// Objects that something was found about.
    pub found: Vec<Found>,
    /// Objects that were asked for and are not there.
    pub absent: Vec<ObjectName>,
    /// What rules looked up: position of the entry, object, questions.
    pub queries: Vec<(usize, ObjectName, Vec<Query>)>,
    /// What rules took by themselves, where they were timed.
    pub times: Times,
}

/// What was found about one object.
pub(crate) struct Found {
    pub name: ObjectName,
    pub uid: String,
    /// Violations and failed evaluations with the position of their entry.
    pub verdicts: Vec<(usize, Verdict)>,
}

/// Runs a scan.
pub(crate) fn scan(rules: &Arc<Rules>, work: &Work, store: &ObjectStore, now: Now) -> Scanned {
    let objects = work.objects(store);
    let mode = work.occasion.parse().unwrap_or(Mode::Audit);
    let network = (mode == Mode::Network).then(|| Picture::of_cluster(store));
    // A rule is not asked before everything is there that it reads.
    let is_asked = |it: &Entry| {
        let is_meant = work.policies.as_ref().is_none_or(|keys| keys.contains(&it.key));
        is_meant && it.sees(&work.kind, |kind, keep| store.holds(kind, keep))
    };
    let among: Vec<_> = rules.entries().iter().map(is_asked).collect();
    // What is asked about objects of other replicas' shards.
    let is_asked_beyond = |(at, entry): (usize, &Entry)| among[at] && work.area.beyond.contains(&entry.key);
    let beyond: Vec<_> = rules.entries().iter().enumerate().map(is_asked_beyond).collect();
    let mut sums = Sums::new(rules.entries().len());
    let mut failed = Vec::new();
    let (mut found, mut queries, mut times) = (Vec::new(), Vec::new(), Times::new());
    let mut room = Room::default();
    let mut walk: Option<Walk<'_>> = None;
    for (at, object) in objects.iter().enumerate() {
        if let Some(next) = objects.get(at + 1) {
            next.fetch();
        }
        let question = Question {
            network: network.as_ref(),
            ..Question::new(&work.kind, object, std::slice::from_ref(&mode), now)
        };
        // Objects come in order of namespace, and a plan holds for all of one.
        let namespace = object.str_at(&["metadata", "namespace"]);
        if let Some(ended) = walk.take_if(|it| it.namespace != namespace) {
            sums.end(&ended);
        }
        let walk = walk.get_or_insert_with(|| {
            let among = if work.area.shards.holds(namespace) { &among } else { &beyond };
            let plan = rules.plan(&Question { among: Some(among), ..question });
            Walk { namespace, plan, objects: 0, passes: 0 }
        });
        let answer = rules.ask(&question, &walk.plan, store, &mut room);
        for row in answer.unclean.iter().map(|it| &it.1).filter(|it| it.errors > 0) {
            failed.retain(|(it, _)| *it != row.entry());
            failed.push((row.entry(), reference(&work.kind, object)));
        }
        sums.add(walk, answer.passes, answer.unclean);
        if walk.plan.entries().next().is_some() && rules.is_timed(mode) {
            times.extend(rules.times(&question, store));
        }
        queries.extend(answer.queries.into_iter().map(|(at, asked)| (at, name(object), asked)));
        if !answer.found.is_empty() {
            let uid = object.str_at(&["metadata", "uid"]).to_owned();
            found.push(Found { name: name(object), uid, verdicts: answer.found });
        }
    }
    if let Some(ended) = &walk {
        sums.end(ended);
    }
    let next = match work.which {
        Which::After { limit, .. } if objects.len() == limit => objects.last().map(|it| name(it)),
        Which::After { .. } | Which::Named(_) | Which::Answered(_) => None,
    };
    let absent = match &work.which {
        Which::Named(names) if objects.len() < names.len() => {
            let found: BTreeSet<_> = objects.iter().map(|it| name(it)).collect();
            names.iter().filter(|it| !found.contains(*it)).cloned().collect()
        }
        Which::Named(_) | Which::After { .. } | Which::Answered(_) => Vec::new(),
    };
    let rows = sums.rows();
    Scanned { rules: Arc::clone(rules), work: work.clone(), next, rows, failed, found, absent, queries, times }
}

/// Objects of one namespace, one after the other.
struct Walk<'r> {
    namespace: &'r str,
    plan: Plan<'r>,
    /// How many so far.
    objects: u32,
    /// Their containers, and one for each that has none.
    passes: u32,
}

/// The sums of what rules did. What they did on objects where all gave `false` is only counted, for all rules at once.
struct Sums {
    /// One an entry, where its rule was asked.
    rows: Vec<Option<RuleTally>>,
    /// The object of the walk, by number from 1, at whose end a rule's failures in a row stood.
    failing_at: Vec<u32>,
}

impl Sums {
    fn new(entries: usize) -> Sums {
        Sums { rows: std::iter::repeat_with(|| None).take(entries).collect(), failing_at: vec![0; entries] }
    }

    /// The next object of a walk was asked about.
    fn add(&mut self, walk: &mut Walk<'_>, passes: u32, unclean: Vec<(u32, RuleTally)>) {
        for (place, row) in unclean {
            let at = row.entry();
            let (Some(sum), Some(failing_at)) = (self.rows.get_mut(at), self.failing_at.get_mut(at)) else { continue };
            let sum = sum.get_or_insert_with(|| row.without_counts());
            // An object between the two gave values.
            if *failing_at != walk.objects {
                sum.errors_at_end = 0;
            }
            if walk.plan.is_narrow(place) {
                sum.evaluations += row.evaluations;
            }
            sum.absorb(row);
            if sum.errors_at_end > 0 {
                *failing_at = walk.objects + 1;
            }
        }
        walk.objects += 1;
        walk.passes += passes;
    }

    /// A walk is over: what holds for all of its objects.
    fn end(&mut self, walk: &Walk<'_>) {
        for row in walk.plan.counts(walk.objects, walk.passes) {
            let at = row.entry();
            let (Some(sum), Some(failing_at)) = (self.rows.get_mut(at), self.failing_at.get_mut(at)) else { continue };
            let sum = sum.get_or_insert_with(|| row.without_counts());
            sum.evaluations += row.evaluations;
            if std::mem::take(failing_at) != walk.objects {
                sum.errors_at_end = 0;
            }
        }
    }

    fn rows(self) -> Vec<RuleTally> {
        self.rows.into_iter().flatten().filter(|it| it.evaluations > 0).collect()
    }
}

/// An object's namespace and name.
pub(crate) fn name(object: &Object) -> ObjectName {
    let text = |name| object.str_at(&["metadata", name]).to_owned();
    (text("namespace"), text("name"))
}

fn reference(kind: &GroupVersionKind, object: &Object) -> ObjectRef {
    let uid = object.at(&["metadata", "uid"]).and_then(Node::as_plain_str).unwrap_or_default().to_owned();
    let (namespace, name) = name(object);
    ObjectRef { gvk: kind.clone(), namespace, name, uid }
}
