//! What a rule reads of the stored objects that it is about (spec/rules 2.12b), found in what its programs read: so that no more
//! of them need be kept. When in doubt it is everything: an object that lacks what a rule reads is a wrong verdict.

use kanon_core::{GroupVersionKind, Keep};
use kanon_lang::kubernetes::CONTAINER_LISTS;

use crate::facts::pod::{self, PodShapes};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectReads {
    /// Paths from variables, of the expression and the message.
    paths: Vec<Vec<String>>,
    /// Whether it is asked about each container, whatever it reads of it.
    per_container: bool,
    /// Whether it reads the network around the object.
    network: bool,
}

impl ObjectReads {
    pub(crate) fn of<'p>(
        paths: impl Iterator<Item = &'p Vec<String>>,
        per_container: bool,
        network: bool,
    ) -> ObjectReads {
        ObjectReads { paths: paths.cloned().collect(), per_container, network }
    }

    /// The parts of an object of a kind that are read in loops over stored objects.
    pub(crate) fn keep(&self, kind: &GroupVersionKind, shapes: &PodShapes) -> Keep {
        let mut keep = Keep::default();
        let spec = shapes.path(kind);
        let mut of_pod = |name: &str| {
            if let Some(spec) = &spec {
                keep.add(&[spec, &[name][..]].concat());
            }
        };
        if self.per_container {
            CONTAINER_LISTS.iter().for_each(|it| of_pod(it.0));
        }
        for path in &self.paths {
            let names: Vec<_> = path.iter().map(String::as_str).collect();
            match names[..] {
                ["container", ..] => CONTAINER_LISTS.iter().for_each(|it| of_pod(it.0)),
                ["spec"] => pod::SPEC.iter().for_each(|it| of_pod(it)),
                ["spec", name, ..] => of_pod(name),
                ["securityContext", ..] => of_pod("securityContext"),
                _ => {}
            }
        }
        for path in &self.paths {
            match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                // Done above; metadata is always kept.
                ["container" | "spec" | "securityContext" | "metadata", ..] => {}
                // Other objects, and what is nil here.
                ["cluster" | "consistentCluster" | "network" | "request" | "oldObject" | "event" | "$now", ..] => {}
                ["object", ref names @ ..] => keep.add(names),
                _ => keep = Keep::All,
            }
        }
        if self.network {
            keep.extend(&kanon_network::keep(kind));
        }
        keep
    }
}

#[cfg(test)]
mod tests;
