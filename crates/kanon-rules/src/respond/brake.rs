//! The brake and the budget of destructive actions: one ConfigMap, `kanon-brake`, in the namespace Kanon runs in.
//!
//! `data.brake: "on"` holds every eviction and revocation of the whole cluster back; `data.budget` says how many there may be
//! in any period, over all rules. While nobody knows what the ConfigMap says, the brake is on. `kanon brake` writes it.

use kanon_core::{ACCOUNTS_MAP, Change, Input, Kind, Mono, Object, Place, Rate};

use super::{pace::Window, templates::TEMPLATE_MAP};

/// Name of the ConfigMap.
pub const BRAKE_MAP: &str = "kanon-brake";
/// Destructive actions over all rules where the ConfigMap names no budget.
pub const BUDGET: &str = "30/min";

/// Whether destructive actions may run.
#[derive(Debug)]
pub(crate) struct Brake {
    /// The namespace of the ConfigMap; empty where there is no brake.
    namespace: String,
    state: State,
    budget: Rate,
    spent: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The ConfigMap has not been seen, nor its absence.
    Unknown,
    On,
    Off,
}

/// What holds a destructive action back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The brake, until it is released.
    Brake,
    /// The budget, until then.
    Budget(Mono),
}

impl Brake {
    pub(crate) fn new(namespace: &str) -> Brake {
        let state = if namespace.is_empty() { State::Off } else { State::Unknown };
        Brake { namespace: namespace.to_owned(), state, budget: default_budget(), spent: Window::default() }
    }

    /// What holds the next one back, if anything does.
    pub(crate) fn holds(&mut self, now: Mono) -> Option<Held> {
        match self.state {
            State::Unknown | State::On => Some(Held::Brake),
            State::Off => self.spent.free_at(self.budget, now).map(Held::Budget),
        }
    }

    /// Notes that one was let through.
    pub(crate) fn spend(&mut self, now: Mono) {
        self.spent.note(now);
    }

    /// Takes in what is known of the ConfigMap; says whether what was held may be tried again.
    pub(crate) fn handle(&mut self, input: &Input) -> bool {
        let before = (self.state, self.budget);
        match input {
            Input::Object { kind, change, object } if is_config_map(kind) && self.is_mine(object) => match change {
                Change::Applied => self.read(object),
                Change::Deleted => (self.state, self.budget) = (State::Off, default_budget()),
            },
            // It would have been seen.
            Input::PlacesSynced { kind } | Input::Synced { kind, .. }
                if is_config_map(kind) && self.state == State::Unknown =>
            {
                self.state = State::Off
            }
            _ => {}
        }
        (self.state, self.budget) != before
    }

    fn is_mine(&self, object: &Object) -> bool {
        is_map(object, &self.namespace, BRAKE_MAP)
    }

    fn read(&mut self, object: &Object) {
        // Only `off` lets go: what cannot be read must not release a brake.
        let text = object.str_at(&["data", "brake"]);
        self.state = if text.is_empty() || text == "off" { State::Off } else { State::On };
        self.budget = object.str_at(&["data", "budget"]).parse().unwrap_or_else(|_| default_budget());
    }
}

fn default_budget() -> Rate {
    BUDGET.parse().expect("the constant is a rate")
}

/// Where the brake's ConfigMap stands, that of the templates of alerts, and that of accounts that are made anew.
pub(crate) fn places(namespace: &str) -> Vec<Place> {
    let place =
        |name: &str| Place { kind: config_maps(), namespace: namespace.to_owned(), name: Some(name.to_owned()) };
    if namespace.is_empty() { Vec::new() } else { [BRAKE_MAP, TEMPLATE_MAP, ACCOUNTS_MAP].map(place).to_vec() }
}

/// Whether an object has this name in a namespace; none has in the empty one.
pub(super) fn is_map(object: &Object, namespace: &str, name: &str) -> bool {
    let text = |it: &str| object.str_at(&["metadata", it]);
    !namespace.is_empty() && text("name") == name && text("namespace") == namespace
}

pub(super) fn config_maps() -> Kind {
    Kind::namespaced("", "v1", "ConfigMap", "configmaps")
}

pub(super) fn is_config_map(kind: &Kind) -> bool {
    kind.gvk.group.is_empty() && kind.gvk.kind == "ConfigMap"
}
