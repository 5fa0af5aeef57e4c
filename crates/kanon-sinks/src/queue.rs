//! What waits for Alertmanager: the newest word about each alert, oldest first, in a bounded queue.
//!
//! An alert is its labels, so a newer word about one takes the older one's place. A dead receiver therefore costs the memory
//! of the alerts there are, not of how often they are repeated.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use kanon_core::Effect;
use serde_json::Value;

use crate::Pending;

/// Most alerts that wait.
const WAITING_MAX: usize = 10_000;

/// One alert that waits.
#[derive(Debug)]
pub(crate) struct Entry {
    labels: String,
    pub(crate) alert: Value,
    /// Effects that end with it.
    pub(crate) pending: Vec<Pending>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    /// Labels in the order in which their alerts came; each stands in it once.
    order: VecDeque<String>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<State>);

impl Queue {
    /// Takes in the alerts of an effect; gives back what does not fit any more, the oldest.
    pub(crate) fn push(&self, effect: &Effect, body: &Value) -> Vec<Entry> {
        let mut state = self.lock();
        for alert in body.as_array().into_iter().flatten() {
            let entry = Entry {
                labels: alert["labels"].to_string(),
                alert: alert.clone(),
                pending: Pending::of(effect).into_iter().collect(),
            };
            state.put(entry, true);
        }
        let mut lost = Vec::new();
        while state.order.len() > WAITING_MAX {
            let oldest = state.order.pop_front().and_then(|it| state.entries.remove(&it));
            lost.extend(oldest);
        }
        lost
    }

    /// The oldest, at most so many.
    pub(crate) fn take(&self, count: usize) -> Vec<Entry> {
        let mut state = self.lock();
        let count = count.min(state.order.len());
        let taken: Vec<_> = state.order.drain(..count).collect();
        taken.iter().filter_map(|it| state.entries.remove(it)).collect()
    }

    /// Puts back what could not be sent; of alerts that were said anew meanwhile, the newer word stays.
    pub(crate) fn give_back(&self, entries: Vec<Entry>) {
        let mut state = self.lock();
        for entry in entries.into_iter().rev() {
            state.put(entry, false);
        }
    }

    pub(crate) fn len(&self) -> i64 {
        self.lock().order.len().try_into().unwrap_or(i64::MAX)
    }

    /// A panic elsewhere leaves a queue as good as before.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, entry: Entry, is_newer: bool) {
        match self.entries.get_mut(&entry.labels) {
            Some(known) => {
                known.pending.extend(entry.pending);
                if is_newer {
                    known.alert = entry.alert;
                }
            }
            None => {
                let labels = entry.labels.clone();
                if is_newer {
                    self.order.push_back(labels)
                } else {
                    self.order.push_front(labels)
                }
                self.entries.insert(entry.labels.clone(), entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::{Action, EffectId, FamilyId, ObjectRef, Sink};
    use serde_json::json;

    use super::*;

    fn push(queue: &Queue, name: &str, text: &str) -> usize {
        let body = json!([{"labels": {"name": name}, "annotations": {"text": text}}]);
        let effect = Effect {
            id: EffectId(format!("{name}-{text}")),
            family: FamilyId("rules"),
            subject: ObjectRef::default(),
            action: Action::Send { sink: Sink::Alertmanager, body: Value::Null },
            cause: None,
            echo: false,
        };
        queue.push(&effect, &body).len()
    }

    fn texts(entries: &[Entry]) -> Vec<(&str, usize)> {
        entries
            .iter()
            .map(|it| (it.alert["annotations"]["text"].as_str().unwrap_or_default(), it.pending.len()))
            .collect()
    }

    #[test]
    fn the_newest_word_about_an_alert_stays_and_all_who_wait_for_it_hear_of_it() {
        let queue = Queue::default();
        push(&queue, "a", "fires");
        push(&queue, "b", "fires");
        let taken = queue.take(1);
        assert_eq!(texts(&taken), [("fires", 1)]);
        push(&queue, "a", "ends");
        queue.give_back(taken);
        assert_eq!(queue.len(), 2);
        assert_eq!(texts(&queue.take(9)), [("fires", 1), ("ends", 2)]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_says_so() {
        let queue = Queue::default();
        let lost: usize = (0..WAITING_MAX + 3).map(|it| push(&queue, &it.to_string(), "fires")).sum();
        assert_eq!(lost, 3);
        assert_eq!(queue.take(1)[0].alert["labels"]["name"], "3");
    }
}
