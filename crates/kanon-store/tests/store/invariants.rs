//! What must hold after every publication, each in its own function.

use std::collections::{BTreeMap, BTreeSet};

use kanon_store::{
    Compacted, Disk, EventKind, Key, ListOptions, Page, Revision,
    redb::{self, ReadableDatabase, ReadableTable, TableDefinition},
};

use crate::{
    reference::{Past, State},
    script::{KEYS, PREFIXES},
    world::{World, state_of},
};

pub(crate) fn check_all(world: &World) {
    revisions_only_grow(world);
    current_state_is_the_models(world);
    for prefix in PREFIXES {
        watches_neither_skip_nor_repeat(world, prefix);
        watches_continue_in_parts(world, prefix);
        snapshots_are_exact(world, prefix);
        pages_make_the_whole_list(world, prefix);
    }
    objects_are_stored_once(world);
    history_stays_within_its_bounds(world);
}

fn revisions_only_grow(world: &World) {
    assert_eq!(world.memory.revision().0, world.model.revision());
    assert!(world.model.events.is_sorted_by(|one, next| one.revision < next.revision));
}

fn current_state_is_the_models(world: &World) {
    let want = world.model.state("", u64::MAX);
    for (prefix, namespace, name) in KEYS {
        let key = Key::new(prefix, namespace, name);
        assert_eq!(world.memory.get(&key).as_deref().map(state_of).as_ref(), want.get(key.as_str()), "{key}");
    }
    for prefix in PREFIXES {
        assert_eq!(world.memory.count(prefix), world.model.state(prefix, u64::MAX).len(), "{prefix}");
    }
}

fn watches_neither_skip_nor_repeat(world: &World, prefix: &str) {
    for since in 0..=world.model.revision() {
        let events = match world.memory.events_since(prefix, Revision(since), usize::MAX) {
            Ok(events) => events,
            Err(compacted) => {
                history_is_only_lost_by_the_bounds(world, prefix, since, compacted);
                continue;
            }
        };
        let want = world.model.since(prefix, since);
        assert_eq!(events.len(), want.len(), "{prefix} since {since}");
        assert!(events.iter().zip(&want).all(|(event, past)| past.is(event)), "{prefix} since {since}: {events:?}");
        // Applied to the state at `since`, the events give the state now, and each knows the state before it.
        let mut state = world.model.state(prefix, since);
        for (event, past) in events.iter().zip(want) {
            let key = &past.key;
            assert_eq!(event.previous.as_deref().map(state_of).as_ref(), state.get(key), "{key}");
            match event.kind {
                EventKind::Deleted => state.remove(key),
                EventKind::Added | EventKind::Modified => state.insert(key.clone(), state_of(&event.entry)),
            };
        }
        assert_eq!(state, world.model.state(prefix, u64::MAX));
    }
}

/// A watcher that takes a few events at a time sees the same.
fn watches_continue_in_parts(world: &World, prefix: &str) {
    let mut at = world.memory.compacted();
    let whole = world.model.since(prefix, at.0);
    let mut seen = Vec::new();
    loop {
        let part = world.memory.events_since(prefix, at, 3).expect("nothing after this is gone");
        let Some(last) = part.last() else { break };
        at = last.revision;
        seen.extend(part.iter().map(|event| event.revision.0));
    }
    assert_eq!(seen, whole.iter().map(|past| past.revision).collect::<Vec<_>>(), "{prefix}");
}

fn snapshots_are_exact(world: &World, prefix: &str) {
    for at in 0..=world.model.revision() {
        let options = ListOptions { at: Some(Revision(at)), ..ListOptions::default() };
        match world.memory.list(prefix, options) {
            Ok(page) => {
                assert_eq!((page.revision, page.more, page.remaining), (Revision(at), false, 0));
                assert_eq!(states(&page), world.model.state(prefix, at), "{prefix} at {at}");
                assert!(page.entries.is_sorted_by(|one, next| one.key < next.key));
            }
            Err(compacted) => history_is_only_lost_by_the_bounds(world, prefix, at, compacted),
        }
    }
}

fn pages_make_the_whole_list(world: &World, prefix: &str) {
    for at in [world.memory.revision(), world.memory.compacted()] {
        let Ok(whole) = world.memory.list(prefix, ListOptions { at: Some(at), ..ListOptions::default() }) else {
            continue;
        };
        for limit in 1..4 {
            let mut keys: Vec<Key> = Vec::new();
            loop {
                let after = keys.last().map(Key::as_str);
                let options = ListOptions { at: Some(at), after, limit: Some(limit) };
                let page = world.memory.list(prefix, options).expect("the whole list was there");
                keys.extend(page.entries.iter().map(|entry| entry.key.clone()));
                assert_eq!(page.remaining, whole.entries.len() - keys.len());
                assert_eq!(page.more, page.remaining > 0);
                if !page.more {
                    break;
                }
            }
            assert!(keys.iter().eq(whole.entries.iter().map(|entry| &entry.key)), "{prefix} by {limit}");
        }
    }
}

fn objects_are_stored_once(world: &World) {
    for event in world.memory.events_since("", world.memory.compacted(), usize::MAX).expect("not compacted") {
        let frame = event.frame.as_ptr_range();
        assert!(frame.contains(&event.entry.object.text().as_ptr()), "the object's text is inside its frame");
    }
}

/// The last commit may exceed the bounds, since watchers must get to see it; what came before may not.
fn history_stays_within_its_bounds(world: &World) {
    let events = world.memory.events_since("", world.memory.compacted(), usize::MAX).expect("not compacted");
    let bytes: usize = events.iter().map(|event| event.frame.len()).sum();
    let within = events.len() <= world.options.history_events && bytes <= world.options.history_bytes;
    assert!(within || events.len() <= world.last_batch, "{} events, {bytes} bytes", events.len());
}

/// The current states, the events of the history and the states before them, each once.
pub(crate) fn the_disk_keeps_what_is_needed_and_no_more(world: &World) {
    let events = world.memory.events_since("", world.memory.compacted(), usize::MAX).expect("not compacted");
    let states = world.memory.list("", ListOptions::default()).expect("the current state").entries;
    let history =
        events.iter().flat_map(|event| event.previous.iter().map(|it| it.revision.0).chain([event.revision.0]));
    let want: BTreeSet<u64> = states.iter().map(|entry| entry.revision.0).chain(history).collect();
    let disk = Disk::with(world.disk.content());
    let database = redb::Builder::new().create_with_backend(disk).expect("opens");
    let log = database.begin_read().map(|read| read.open_table(TableDefinition::<u64, &[u8]>::new("log")));
    let log = log.expect("reads").expect("the table is there");
    let got: BTreeSet<u64> = log.iter().expect("reads").map(|row| row.expect("reads").0.value()).collect();
    assert_eq!(got, want);
}

/// History may only be missing where the bounds or a request took it, and must be whole from where the answer says.
fn history_is_only_lost_by_the_bounds(world: &World, prefix: &str, asked: u64, compacted: Compacted) {
    let oldest = compacted.oldest;
    assert!(asked < oldest.0);
    let events = &world.model.events;
    let lost = events.iter().position(|past: &Past| past.revision == oldest.0).expect("the revision of a write");
    let by_count = events.len() - lost > world.options.history_events;
    let by_bytes = world.options.history_bytes < usize::MAX;
    assert!(by_count || by_bytes || oldest.0 <= world.compact_to, "{prefix}: {asked} lost without need");
    if prefix.matches('/').count() >= 2 {
        assert!(world.memory.events_since(prefix, oldest, 1).is_ok());
    }
}

fn states(page: &Page) -> BTreeMap<String, State> {
    page.entries.iter().map(|entry| (entry.key.as_str().to_owned(), state_of(entry))).collect()
}
