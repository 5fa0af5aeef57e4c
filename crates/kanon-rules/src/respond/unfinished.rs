//! Accounts that were noted before they were deleted and are not there again: the ConfigMap `kanon-accounts` of the namespace Kanon
//! runs in says so. Whoever leads has them made, whichever process noted them, until the note is gone. No brake holds that: what was
//! begun is finished.

use std::time::Duration;

use kanon_core::{ACCOUNTS_MAP, Change, Delivery, EffectId, Input, Mono, Now, Object, ObjectRef};
use kanon_plane::Outbox;

use super::brake::{is_config_map, is_map};

/// Whoever noted an account has this long to finish by itself; then, and after each failure, twice as long as before.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(5);

/// What is left to do of accounts.
pub(super) struct Unfinished {
    /// The namespace of the ConfigMap; empty where there is none.
    namespace: String,
    /// The ConfigMap, as long as it notes something.
    map: Option<ObjectRef>,
    due: Option<Mono>,
    pause: Duration,
    under_way: Option<EffectId>,
}

impl Unfinished {
    pub(super) fn new(namespace: &str) -> Unfinished {
        Unfinished { namespace: namespace.to_owned(), map: None, due: None, pause: FIRST, under_way: None }
    }

    /// Takes in what is known of the ConfigMap, and what became of the last attempt.
    pub(super) fn handle(&mut self, input: &Input, now: Mono) {
        match input {
            Input::Object { kind, change, object } if is_config_map(kind) && self.is_mine(object) => {
                let notes = object.at(&["data"]).is_some_and(|it| it.members().next().is_some());
                if *change == Change::Deleted || !notes {
                    (self.map, self.due) = (None, None);
                } else if self.map.is_none() {
                    let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
                    let (namespace, name, uid) = (text("namespace"), text("name"), text("uid"));
                    self.map = Some(ObjectRef { gvk: kind.gvk.clone(), namespace, name, uid });
                    (self.due, self.pause) = (Some(now.after(FIRST)), FIRST);
                }
            }
            Input::Delivered(Delivery { effect, .. }) if self.under_way.as_ref() == Some(effect) => {
                self.under_way = None;
                self.pause = (self.pause * 2).min(LONGEST);
                self.due = self.map.is_some().then(|| now.after(self.pause));
            }
            _ => {}
        }
    }

    /// Has them made when it is time and this process leads.
    pub(super) fn go_on(&mut self, leads: bool, now: Now, out: &mut Outbox) {
        let Some(map) = self.map.as_ref().filter(|_| leads && self.under_way.is_none()) else { return };
        if self.due.is_none_or(|at| at > now.mono) {
            return;
        }
        let id = EffectId::new(&now.rfc3339(), "restore-accounts", &map.uid);
        out.restore_accounts(id.clone(), map.clone());
        (self.due, self.under_way) = (None, Some(id));
    }

    pub(super) fn next_deadline(&self, leads: bool) -> Option<Mono> {
        self.due.filter(|_| leads)
    }

    fn is_mine(&self, object: &Object) -> bool {
        is_map(object, &self.namespace, ACCOUNTS_MAP)
    }
}
