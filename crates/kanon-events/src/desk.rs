//! Each event once, whoever tells of it and how often (spec/rules 7.2, 7.4).
//!
//! - An audit's id is let through once: a stream is told of when it begins and when it ends, a webhook posts again what was not
//!   acknowledged, a log is read again.
//! - What the two sources tell of is the same within [`WINDOW`] when user, object, part, container and command agree. So is a stream
//!   that a client asks for again in another way (WebSockets, then SPDY). Everything else that one source tells of twice happened
//!   twice: nobody hides one command, or one debugging container, behind another.
//! - Where audit events are to be expected, a review waits for its audit event, which knows more (its id, the answer, the client), and
//!   goes alone when none comes in time.
//! - A request that got through is never hidden behind one that did not.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use kanon_core::{Digest, Mono, Now};

use crate::{
    event::{Event, Source},
    passed_over::PassedOver,
    results,
};

/// How far apart two tellings of one event may be.
pub const WINDOW: Duration = Duration::from_secs(2);

/// Ids that are remembered; of streams, which end late, and of all others.
const IDS_MAX: usize = 50_000;
/// Events that are remembered for those who tell of them late: a webhook gathers events for half a minute.
const TRACES_MAX: usize = 20_000;
/// Reviews that wait; more go at once.
const WAITING_MAX: usize = 4096;
/// Answers that say that somebody refused the request, or that there was nothing to ask: whatever else becomes of a request that
/// admission let through, it was made.
const REFUSALS: [u16; 3] = [401, 403, 404];

/// What becomes of an event that arrives.
#[derive(Debug)]
pub enum Fate {
    /// Rules are to be asked now.
    Ready(Box<Event>),
    /// It waits for the other source: see [`Desk::due`].
    Waits,
    /// It is passed over; why, in a word of [`results`].
    Passed(&'static str),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Desk {
    passed_over: PassedOver,
    /// Whether audit events are to be expected.
    audited: bool,
    streams: Seen<String>,
    others: Seen<String>,
    traces: BTreeMap<Digest, Trace>,
    order: VecDeque<Digest>,
    waiting: VecDeque<(Mono, Digest, Event)>,
}

/// What is known of an event that was let through.
#[derive(Clone, Copy, Debug)]
struct Trace {
    time: Timestamp,
    is_refused: bool,
    /// Whether the audit and whether admission told of it.
    told: [bool; 2],
}

impl Trace {
    fn covers(&self, event: &Event) -> bool {
        let may_repeat = event.is_stream() || !self.told[event.source as usize];
        is_near(self.time, event.time) && may_repeat && (event.is_refused || !self.is_refused)
    }
}

fn is_near(a: Timestamp, b: Timestamp) -> bool {
    a.duration_since(b).unsigned_abs() <= WINDOW
}

impl Desk {
    /// A desk that passes these over. `audited` says whether audit events are to be expected besides reviews.
    pub fn new(passed_over: PassedOver, audited: bool) -> Desk {
        Desk { passed_over, audited, ..Desk::default() }
    }

    /// Takes an event in.
    pub fn take(&mut self, mut event: Event, now: Now) -> Fate {
        if self.passed_over.covers(&event) {
            return Fate::Passed(results::IGNORED);
        }
        let is_audit = event.source == Source::Audit;
        if is_audit && !self.ids(&event).note(event.id.clone(), IDS_MAX) {
            return Fate::Passed(results::DUPLICATE);
        }
        if !event.is_told_twice() {
            return Fate::Ready(event.into());
        }
        let key = key(&event);
        let waiting = self.waiting.iter().position(|(_, it, held)| *it == key && is_near(held.time, event.time));
        let mut told = [false; 2];
        match waiting {
            Some(at) if is_audit => {
                let held = self.waiting.remove(at).map(|it| it.2);
                let was_refused = held.is_some_and(|it| it.is_refused);
                event.is_refused &= was_refused || event.code.is_some_and(|it| REFUSALS.contains(&it));
                told[Source::Admission as usize] = true;
            }
            Some(_) if event.is_stream() => return Fate::Passed(results::DUPLICATE),
            Some(_) | None => {
                if let Some(known) = self.traces.get_mut(&key).filter(|it| it.covers(&event)) {
                    known.told[event.source as usize] = true;
                    return Fate::Passed(results::DUPLICATE);
                }
            }
        }
        if is_audit || !self.audited || self.waiting.len() >= WAITING_MAX {
            self.trace(key, &event, told);
            return Fate::Ready(event.into());
        }
        self.waiting.push_back((now.mono.after(WINDOW), key, event));
        Fate::Waits
    }

    /// The next event that has waited long enough.
    pub fn due(&mut self, now: Mono) -> Option<Event> {
        self.waiting.front().filter(|it| it.0 <= now)?;
        let (_, key, event) = self.waiting.pop_front()?;
        self.trace(key, &event, [false; 2]);
        Some(event)
    }

    /// When an event that waits is due.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.waiting.front().map(|it| it.0)
    }

    fn ids(&mut self, event: &Event) -> &mut Seen<String> {
        // A flood of reads must not make a stream forgotten before it ends.
        let lasts = event.is_stream() || event.raw_verb == "watch" || event.sub_resource == "log";
        if lasts { &mut self.streams } else { &mut self.others }
    }

    fn trace(&mut self, key: Digest, event: &Event, mut told: [bool; 2]) {
        told[event.source as usize] = true;
        let trace = Trace { time: event.time, is_refused: event.is_refused, told };
        if self.traces.insert(key, trace).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > TRACES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.traces.remove(&oldest);
        }
    }
}

/// What two tellings of one event have in common.
fn key(event: &Event) -> Digest {
    let resource = &event.resource;
    // Of most parts an audit that records little does not know the body.
    let command = event.object.as_ref().filter(|_| event.sub_resource == "exec").and_then(|it| it.at(&["command"]));
    let ports = event.object.as_ref().filter(|_| event.sub_resource == "portforward").and_then(|it| it.at(&["ports"]));
    let parts = [
        event.acting_user(),
        &resource.group,
        &resource.resource,
        &event.sub_resource,
        &event.namespace,
        &event.name,
        event.container(),
        command.or(ports).map_or("", |it| it.raw()),
    ];
    let parts: Vec<&[u8]> = parts.iter().flat_map(|it| [it.as_bytes(), b"\0"]).collect();
    Digest::of(&parts)
}

/// The newest of what was seen.
#[derive(Debug)]
struct Seen<T> {
    all: BTreeSet<T>,
    order: VecDeque<T>,
}

impl<T> Default for Seen<T> {
    fn default() -> Seen<T> {
        Seen { all: BTreeSet::new(), order: VecDeque::new() }
    }
}

impl<T: Ord + Clone> Seen<T> {
    /// Whether it is news.
    fn note(&mut self, it: T, max: usize) -> bool {
        if !self.all.insert(it.clone()) {
            return false;
        }
        self.order.push_back(it);
        if self.order.len() > max
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::{Object, Resource, UserInfo};

    use super::*;

    fn now(millis: u64) -> Now {
        let elapsed = Duration::from_millis(millis);
        Now::new(Timestamp::UNIX_EPOCH + elapsed, Mono(elapsed))
    }

    /// An exec that arrived so many milliseconds after the beginning: `a`udit or `c`onnect, `+` let through or `-` refused.
    fn exec(text: &str, millis: u64) -> Event {
        let (source, code) = match text.split_at(1) {
            ("a", "+") => (Source::Audit, Some(101)),
            ("a", code) => (Source::Audit, code.parse().ok()),
            (_, "+") => (Source::Admission, None),
            _ => (Source::Admission, Some(403)),
        };
        Event {
            source,
            id: format!("{text}{millis}"),
            time: now(millis).wall,
            code,
            is_refused: code.is_some_and(|it| it >= 400),
            raw_verb: "get".into(),
            resource: Resource { resource: "pods".into(), ..Resource::default() },
            sub_resource: "exec".into(),
            user: UserInfo { username: "eve".into(), ..UserInfo::default() },
            ..Event::empty()
        }
        .classified()
    }

    /// What becomes of events in order of arrival: `+` or `-` for one that rules are asked about, `.` for one that waits, `=` for a duplicate.
    fn check(audited: bool, script: &[(&str, u64)], want: &str) {
        let mut desk = Desk::new(PassedOver::default(), audited);
        let mut found = String::new();
        let told = |it: &Event| if it.is_refused { '-' } else { '+' };
        for (text, millis) in script {
            if *text == "due" {
                found.extend(std::iter::from_fn(|| desk.due(now(*millis).mono)).map(|it| told(&it)));
                continue;
            }
            found.push(match desk.take(exec(text, *millis), now(*millis)) {
                Fate::Ready(event) => told(&event),
                Fate::Waits => '.',
                Fate::Passed(why) => {
                    assert_eq!(why, results::DUPLICATE);
                    '='
                }
            });
        }
        assert_eq!(found, want, "{script:?}");
    }

    #[test]
    fn each_event_is_let_through_once() {
        // One source alone.
        check(false, &[("c+", 0), ("c+", 100), ("c+", 2500)], "+=+");
        check(true, &[("a+", 0), ("a+", 0), ("a+", 100), ("a+", 2500)], "+==+");
        // The review waits for the audit event, and goes alone when none comes.
        check(true, &[("c+", 0), ("a+", 10)], ".+");
        check(true, &[("c+", 0), ("due", 1999), ("due", 2000), ("a+", 100), ("a+", 2100)], ".+=+");
        // What was admitted was made, though the stream broke; what others refused was not.
        check(true, &[("c+", 0), ("a500", 10), ("c+", 20), ("a500", 30)], ".+==");
        check(true, &[("c+", 0), ("a403", 10)], ".-");
        check(true, &[("c-", 0), ("a403", 10), ("due", 5000)], ".-");
        // Nothing that got through hides behind what did not; the other way round it does.
        check(true, &[("a403", 0), ("a+", 100), ("a403", 200)], "-+=");
        check(false, &[("c-", 0), ("c+", 100)], "-+");
        // Late by a batch of half a minute.
        check(true, &[("c+", 0), ("due", 2000), ("a+", 1)], ".+=");
    }

    #[test]
    fn what_is_no_stream_happened_as_often_as_one_source_tells_of_it() {
        let mut desk = Desk::new(PassedOver::default(), true);
        let mut take = |text: &str, id: &str| {
            let event = Event { id: id.into(), sub_resource: "ephemeralcontainers".into(), ..exec(text, 0) };
            match desk.take(event, now(0)) {
                Fate::Ready(_) => '+',
                Fate::Waits => '.',
                Fate::Passed(_) => '=',
            }
        };
        // One after the other, then both before the audit tells of them.
        let script =
            [("c+", "1"), ("a+", "2"), ("c+", "3"), ("a+", "4"), ("c+", "5"), ("c+", "6"), ("a+", "7"), ("a+", "8")];
        let found: String = script.iter().map(|(text, id)| take(text, id)).collect();
        assert_eq!(found, ".+.+..++");
    }

    #[test]
    fn another_command_is_another_event() {
        let mut desk = Desk::new(PassedOver::default(), false);
        for command in [r#"["ls"]"#, r#"["cat"]"#] {
            let object = Object::parse(format!(r#"{{"command":{command}}}"#)).ok();
            assert!(matches!(desk.take(Event { object, ..exec("c+", 0) }, now(0)), Fate::Ready(_)), "{command}");
        }
        let elsewhere = Event { name: "other".into(), ..exec("c+", 0) };
        assert!(matches!(desk.take(elsewhere, now(0)), Fate::Ready(_)));
    }

    #[test]
    fn what_one_source_tells_of_alone_is_known_by_its_id_only() {
        let mut desk = Desk::new(PassedOver::default(), true);
        let read = |id: &str| Event { id: id.into(), sub_resource: String::new(), ..exec("a+", 0) };
        for (id, ready) in [("1", true), ("2", true), ("1", false)] {
            assert_eq!(matches!(desk.take(read(id), now(0)), Fate::Ready(_)), ready, "{id}");
        }
    }

    #[test]
    fn the_user_is_whoever_the_request_acted_as() {
        let mut desk = Desk::new(PassedOver::default(), false);
        let user = |name: &str| UserInfo { username: name.into(), ..UserInfo::default() };
        assert!(matches!(desk.take(exec("c+", 0), now(0)), Fate::Ready(_)));
        let acting = Event { user: user("admin"), impersonated: Some(user("eve")), ..exec("a+", 1) };
        assert!(matches!(desk.take(acting, now(1)), Fate::Passed(results::DUPLICATE)));
    }
}
