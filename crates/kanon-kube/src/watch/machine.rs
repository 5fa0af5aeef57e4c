//! What a watch does next. Pure: answers and time come in, requests and changes go out.
//!
//! List in pages, then watch from the list's version; resume where a watch ended; list again on 410 and tell what went
//! missing meanwhile; back off on errors. The cache is here: the last state of every object, without managed fields and what
//! nobody reads. When more is read, it lists again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use kanon_core::{Change, Keep, Mono, Node, Object};

/// First pause after an error; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// The first page, or the one after `next`.
    List {
        /// Continue token, as text of a query parameter.
        next: Option<String>,
    },
    /// Changes after a version.
    Watch {
        /// The version.
        resource_version: String,
    },
    /// Nothing before this moment.
    Wait {
        /// The moment.
        until: Mono,
    },
}

/// What came of it.
pub(super) enum Happened {
    /// A page of a list.
    Page(Object),
    /// A line of a watch.
    Line(Bytes),
    /// The watch ended as it should.
    Ended,
    /// Something went wrong.
    Failed {
        /// HTTP status, if there was one.
        code: Option<u16>,
        /// For the log.
        message: String,
    },
    /// The pause is over.
    Woke,
    /// All is to be read again, since nobody tells what changes.
    Due,
}

/// What to tell the plane.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) changes: Vec<(Change, Object)>,
    /// A list is complete, the first or the first with so much.
    pub(super) synced: Option<Keep>,
}

type Key = (String, String);

/// The state of one watch.
pub(super) struct Machine {
    want: Want,
    /// What follows the pause.
    after_pause: Want,
    pause: Duration,
    known: BTreeMap<Key, Object>,
    /// What others told of, who watched before: gone until a list shows it.
    before: BTreeMap<Key, Object>,
    /// Objects of the list that is being read.
    listed: BTreeSet<Key>,
    /// What is read of the objects: never less than before.
    keep: Keep,
    /// What there is of every object, once a list was complete.
    synced: Option<Keep>,
}

impl Machine {
    /// A watch that keeps these parts of objects.
    pub(super) fn new(keep: Keep) -> Machine {
        let list = Want::List { next: None };
        Machine {
            want: list.clone(),
            after_pause: list,
            pause: PAUSE_MIN,
            known: BTreeMap::new(),
            before: BTreeMap::new(),
            listed: BTreeSet::new(),
            keep,
            synced: None,
        }
    }

    /// The same, after a watch that told of these objects.
    pub(super) fn after(mut self, told: impl Iterator<Item = Object>) -> Machine {
        self.before = told.map(|it| (key(&it), it)).collect();
        self
    }

    /// What it has told of.
    pub(super) fn into_known(self) -> Vec<Object> {
        // Whoever is cut off early has told nothing new of what was there before.
        let mut known = self.before;
        known.extend(self.known);
        known.into_values().collect()
    }

    /// More is read: all objects are listed again. What is read no more is kept all the same, as `Input::Synced` has said.
    pub(super) fn grow(&mut self, keep: &Keep) {
        if self.keep.covers(keep) {
            return;
        }
        self.keep.extend(keep);
        let list = Want::List { next: None };
        match &self.want {
            Want::Wait { .. } => self.after_pause = list,
            Want::List { .. } | Want::Watch { .. } => self.want = list,
        }
    }

    /// What to ask for now.
    pub(super) fn want(&self) -> Want {
        self.want.clone()
    }

    /// Whether the first list is complete.
    pub(super) fn is_synced(&self) -> bool {
        self.synced.is_some()
    }

    /// Takes an answer.
    pub(super) fn handle(&mut self, happened: Happened, now: Mono) -> Outcome {
        let mut outcome = Outcome::default();
        match happened {
            Happened::Page(page) => self.page(&page, &mut outcome),
            Happened::Line(line) => self.line(line, now, &mut outcome),
            Happened::Ended => {}
            Happened::Due => self.want = Want::List { next: None },
            Happened::Woke => self.want = self.after_pause.clone(),
            Happened::Failed { code: Some(410), .. } => self.relist(now),
            Happened::Failed { .. } => {
                // A list that broke off begins again: its continue token may be what is wrong.
                let after = match &self.want {
                    Want::Watch { .. } => self.want.clone(),
                    Want::List { .. } | Want::Wait { .. } => Want::List { next: None },
                };
                self.back_off(after, now);
            }
        }
        outcome
    }

    fn page(&mut self, page: &Object, outcome: &mut Outcome) {
        self.pause = PAUSE_MIN;
        if self.want == (Want::List { next: None }) {
            self.listed.clear();
        }
        let kind = page.str_at(&["kind"]).strip_suffix("List").unwrap_or_default().to_owned();
        let api_version = page.str_at(&["apiVersion"]).to_owned();
        for item in page.root().get("items").into_iter().flat_map(Node::elements) {
            let object = cached(&with_type(&item.to_object(), &api_version, &kind), &self.keep);
            let key = key(&object);
            self.listed.insert(key.clone());
            // A text may be whole that was what was left of another.
            if self.known.get(&key).is_none_or(|it| *it != object || it.is_cut() != object.is_cut()) {
                self.known.insert(key, object.clone());
                outcome.changes.push((Change::Applied, object));
            }
        }
        let next = page.str_at(&["metadata", "continue"]);
        if !next.is_empty() {
            self.want = Want::List { next: Some(next.to_owned()) };
            return;
        }
        let before = std::mem::take(&mut self.before).into_iter().filter(|it| !self.listed.contains(&it.0));
        outcome.changes.extend(before.map(|(_, object)| (Change::Deleted, object)));
        let gone: Vec<Key> = self.known.keys().filter(|it| !self.listed.contains(*it)).cloned().collect();
        for key in gone {
            outcome.changes.extend(self.known.remove(&key).map(|object| (Change::Deleted, object)));
        }
        self.listed.clear();
        if self.synced.as_ref() != Some(&self.keep) {
            self.synced = Some(self.keep.clone());
            outcome.synced = Some(self.keep.clone());
        }
        self.want = Want::Watch { resource_version: page.str_at(&["metadata", "resourceVersion"]).to_owned() };
    }

    fn line(&mut self, line: Bytes, now: Mono, outcome: &mut Outcome) {
        let Ok(event) = Object::parse(line) else { return self.relist(now) };
        let Some(object) = event.root().get("object") else { return self.relist(now) };
        self.pause = PAUSE_MIN;
        let object = object.to_object();
        let version = object.str_at(&["metadata", "resourceVersion"]).to_owned();
        match event.str_at(&["type"]) {
            "ADDED" | "MODIFIED" => {
                let object = cached(&object, &self.keep);
                self.known.insert(key(&object), object.clone());
                outcome.changes.push((Change::Applied, object));
            }
            "DELETED" => {
                let object = cached(&object, &self.keep);
                self.known.remove(&key(&object));
                outcome.changes.push((Change::Deleted, object));
            }
            "BOOKMARK" => {}
            // ERROR, 410 among them, and whatever a later server may invent.
            _ => return self.relist(now),
        }
        self.want = Want::Watch { resource_version: version };
    }

    fn relist(&mut self, now: Mono) {
        self.back_off(Want::List { next: None }, now);
    }

    fn back_off(&mut self, after: Want, now: Mono) {
        self.want = Want::Wait { until: now.after(self.pause) };
        self.after_pause = after;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

fn key(object: &Object) -> Key {
    let text = |name| object.str_at(&["metadata", name]).to_owned();
    (text("namespace"), text("name"))
}

/// What `kubectl apply` notes on every object: the manifest once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What the cache keeps: no managed fields, no second manifest, nothing that nobody reads, and text of its own instead of a slice
/// of a whole list.
fn cached(object: &Object, keep: &Keep) -> Object {
    let object = object.keep(keep);
    object.without(&["metadata", "managedFields"]).without(&["metadata", "annotations", LAST_APPLIED]).compact()
}

/// Items of built-in lists carry no type of their own; readers of a cached object expect one.
fn with_type(object: &Object, api_version: &str, kind: &str) -> Object {
    if object.root().get("kind").is_some() || kind.is_empty() {
        return object.clone();
    }
    let rest = String::from_utf8_lossy(&object.text()[1..]);
    let comma = if rest == "}" { "" } else { "," };
    let text = format!("{{\"apiVersion\":\"{api_version}\",\"kind\":\"{kind}\"{comma}{rest}");
    Object::parse(text).unwrap_or_else(|_| object.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(Duration::from_millis(millis))
    }

    fn page(version: &str, next: &str, names: &[&str]) -> Happened {
        let item = |name| format!(r#"{{"metadata":{{"name":"{name}","managedFields":[]}}}}"#);
        let items: Vec<_> = names.iter().map(item).collect();
        let text = format!(
            r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{}]}}"#,
            items.join(",")
        );
        Happened::Page(Object::parse(text).unwrap())
    }

    fn line(kind: &str, name: &str, version: &str) -> Happened {
        let object = format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"{version}"}}}}"#);
        Happened::Line(format!(r#"{{"type":"{kind}","object":{object}}}"#).into())
    }

    fn told(outcome: &Outcome) -> Vec<String> {
        let sign = |change| if change == Change::Applied { '+' } else { '-' };
        outcome.changes.iter().map(|(change, it)| format!("{}{}", sign(*change), key(it).1)).collect()
    }

    #[test]
    fn lists_in_pages_then_watches_and_resumes() {
        let mut machine = Machine::new(Keep::All);
        let first = machine.handle(page("5", "tok", &["a"]), at(0));
        assert_eq!((told(&first), first.synced), (vec!["+a".to_owned()], None));
        let text = String::from_utf8_lossy(first.changes[0].1.text()).into_owned();
        assert_eq!(text, r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#);
        assert_eq!(machine.want(), Want::List { next: Some("tok".into()) });
        assert_eq!(machine.handle(page("5", "", &["b"]), at(0)).synced, Some(Keep::All));
        machine.handle(line("MODIFIED", "b", "6"), at(0));
        machine.handle(line("BOOKMARK", "", "9"), at(0));
        machine.handle(Happened::Ended, at(0));
        assert_eq!(machine.want(), Want::Watch { resource_version: "9".into() });
        assert_eq!(told(&machine.handle(line("DELETED", "a", "10"), at(0))), ["-a"]);
    }

    #[test]
    fn an_expired_watch_lists_again_and_tells_what_went_missing() {
        let mut machine = Machine::new(Keep::All);
        machine.handle(page("5", "", &["a", "b"]), at(0));
        let expired = r#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#;
        machine.handle(Happened::Line(expired.into()), at(1000));
        assert_eq!(machine.want(), Want::Wait { until: at(1200) });
        machine.handle(Happened::Woke, at(1200));
        assert_eq!(machine.want(), Want::List { next: None });
        let again = machine.handle(page("8", "", &["b", "c"]), at(1200));
        assert_eq!((told(&again), again.synced), (vec!["+c".to_owned(), "-a".to_owned()], None));
    }

    #[test]
    fn what_another_watch_told_of_is_told_again_or_gone() {
        let told = |names: &[&str]| {
            let object = |it: &&str| Object::parse(format!(r#"{{"metadata":{{"name":"{it}"}}}}"#)).unwrap();
            names.iter().map(object).collect::<Vec<_>>()
        };
        let mut machine = Machine::new(Keep::All).after(told(&["a", "b"]).into_iter());
        assert_eq!(self::told(&machine.handle(page("5", "tok", &["b"]), at(0))), ["+b"]);
        assert_eq!(self::told(&machine.handle(page("5", "", &["c"]), at(0))), ["+c", "-a"]);
        machine.handle(Happened::Due, at(0));
        assert_eq!(machine.want(), Want::List { next: None });
        assert_eq!(self::told(&machine.handle(page("6", "", &["b"]), at(0))), ["-c"]);
        let names: Vec<_> = machine.into_known().iter().map(|it| key(it).1).collect();
        assert_eq!(names, ["b"]);
    }

    #[test]
    fn when_more_is_read_all_is_listed_again_and_then_said_to_be_there() {
        let pods = |version: &str| {
            let item = r#"{"metadata":{"name":"a"},"spec":{"x":1,"y":2},"status":{}}"#;
            let head = format!(r#""kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}"}}"#);
            Happened::Page(Object::parse(format!(r#"{{{head},"items":[{item}]}}"#)).unwrap())
        };
        let text = |outcome: &Outcome| outcome.changes.iter().map(|it| format!("{:?}", it.1)).collect::<String>();
        let keep = |paths: &[&[&str]]| Keep::paths(paths.iter().copied());
        let (one, other) = (keep(&[&["spec", "x"]]), keep(&[&["status"]]));
        let mut machine = Machine::new(one.clone());
        let first = machine.handle(pods("5"), at(0));
        let head = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec""#;
        assert_eq!((text(&first), first.synced), (format!(r#"{head}:{{"x":1}}}}"#), Some(one.clone())));
        machine.grow(&one);
        assert_eq!(machine.want(), Want::Watch { resource_version: "5".into() });
        // Less in one place and more in another: nothing goes that was said to be there.
        machine.grow(&other);
        assert_eq!(machine.want(), Want::List { next: None });
        let second = machine.handle(pods("6"), at(0));
        let both = keep(&[&["spec", "x"], &["status"]]);
        assert_eq!((text(&second), second.synced), (format!(r#"{head}:{{"x":1}},"status":{{}}}}"#), Some(both)));
        machine.grow(&Keep::All);
        machine.handle(Happened::Failed { code: None, message: String::new() }, at(0));
        let Want::Wait { until } = machine.want() else { panic!("no pause") };
        machine.grow(&Keep::All);
        machine.handle(Happened::Woke, until);
        let third = machine.handle(pods("7"), until);
        assert_eq!((third.changes.len(), third.changes[0].1.is_cut(), third.synced), (1, false, Some(Keep::All)));
        assert_eq!(told(&machine.handle(pods("8"), until)), [""; 0]);
    }

    #[test]
    fn errors_back_off_and_keep_the_place() {
        let mut machine = Machine::new(Keep::All);
        machine.handle(page("5", "", &[]), at(0));
        let failed = || Happened::Failed { code: None, message: "refused".into() };
        let mut pauses = Vec::new();
        for _ in 0..9 {
            machine.handle(failed(), at(0));
            let Want::Wait { until } = machine.want() else { panic!("no pause") };
            pauses.push(until.0.as_millis());
            machine.handle(Happened::Woke, until);
            assert_eq!(machine.want(), Want::Watch { resource_version: "5".into() });
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
    }
}
