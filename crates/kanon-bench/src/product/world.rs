//! A plane that audits a cluster, run by hand: no thread, no socket.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kanon_core::{Change, GroupVersionKind, Input, Keep, Kind, Object, PolicyFile, Verdict};
use kanon_plane::{Payload, Plane, Settings};
use kanon_rules::{Mode, RulesFamily};
use kanon_runtime::Clock;

/// A plane that audits, with objects.
pub(crate) struct World {
    pub(crate) plane: Plane,
    clock: Clock,
    kinds: BTreeMap<GroupVersionKind, Arc<Kind>>,
}

impl World {
    /// With these objects, all of them known.
    pub(crate) fn new(objects: impl IntoIterator<Item = Object>) -> World {
        let clock = Clock::start();
        let settings =
            kanon_rules::Settings { loops: vec![Mode::Admission, Mode::Audit], ..kanon_rules::Settings::default() };
        let family = RulesFamily::new(Arc::new(kanon_expr::Expr::default()), settings);
        let plane = Plane::new(vec![Box::new(family)], Settings::default());
        let mut world = World { plane, clock, kinds: BTreeMap::new() };
        for object in objects {
            world.apply(object);
        }
        let kinds: Vec<_> = world.kinds.values().cloned().collect();
        for kind in kinds {
            world.work(Input::Synced { kind, keep: Keep::All });
        }
        world
    }

    /// With these objects and rules, of the objects only what the rules read; and what the audit says of them.
    pub(crate) fn kept(objects: &[Object], rules: PolicyFile) -> (World, Vec<Verdict>) {
        let mut world = World::new([]);
        let mut verdicts = world.work(Input::Folder { files: vec![rules], unreadable: Vec::new() });
        let facts = Arc::clone(world.plane.facts());
        let keep = |object: &Object| object.keep(facts.keep(&gvk(object)));
        verdicts.extend(objects.iter().flat_map(|it| world.apply(keep(it))));
        let kinds: Vec<_> = world.kinds.values().cloned().collect();
        for kind in kinds {
            let keep = facts.keep(&kind.gvk).clone();
            verdicts.extend(world.work(Input::Synced { kind, keep }));
        }
        (world, verdicts)
    }

    /// Stores an object as a watch would; what the audit says of it.
    pub(crate) fn apply(&mut self, object: Object) -> Vec<Verdict> {
        let kind = Arc::clone(self.kinds.entry(gvk(&object)).or_insert_with_key(|gvk| Arc::new(kind(gvk))));
        self.work(Input::Object { kind, change: Change::Applied, object })
    }

    /// Takes an input and runs all scans that follow; the decisions that came of it.
    pub(crate) fn work(&mut self, input: Input) -> Vec<Verdict> {
        let (mut inputs, mut verdicts) = (vec![input], Vec::new());
        while let Some(input) = inputs.pop() {
            let step = self.plane.handle(&input, self.clock.now());
            inputs.extend(step.scans.iter().map(|it| it.run(self.plane.objects(), self.clock.now())));
            verdicts.extend(step.records.into_iter().filter_map(|it| match it {
                Payload::Decision(verdict) => Some(*verdict),
                _ => None,
            }));
        }
        verdicts
    }

    /// Time from new rules to the last verdict.
    pub(crate) fn sweep(&mut self, rules: PolicyFile) -> Duration {
        let started = Instant::now();
        self.work(Input::Folder { files: vec![rules], unreadable: Vec::new() });
        started.elapsed()
    }

    /// Bytes of the cached objects, and of their texts.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let all = self.kinds.keys().flat_map(|kind| self.plane.objects().after(kind, None));
        all.fold((0, 0), |sum, it| (sum.0 + it.memory(), sum.1 + it.text().len()))
    }
}

fn gvk(object: &Object) -> GroupVersionKind {
    GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]))
}

/// Plurals of the kinds that clusters here have are regular.
fn kind(gvk: &GroupVersionKind) -> Kind {
    let lower = gvk.kind.to_lowercase();
    let plural = match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if lower.ends_with('s') => format!("{lower}es"),
        None => format!("{lower}s"),
    };
    let make = if gvk.kind == "Namespace" { Kind::cluster } else { Kind::namespaced };
    make(&gvk.group, &gvk.version, &gvk.kind, &plural)
}
