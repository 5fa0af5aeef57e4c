//! Stores made of others' objects: every object is there, and no revision that a client may have seen can be resumed from.

use std::convert::Infallible;

use kanon_core::Object;
use kanon_store::{
    Change, Disk, Draft, Expect, Key, ListOptions, Options, RestoreError, Revision, Write, Writer, database, restore,
};

use crate::reference::object;

const FLOOR: Revision = Revision(1_000_000);

fn things(count: usize) -> Vec<Result<(Key, Object), Infallible>> {
    let thing = |number: usize| {
        let key = Key::new("core/pods", "shop", &format!("p{number:03}"));
        let text = object(key.as_str(), 7, 40 + number as u64);
        Ok((key, Object::from_value(&text)))
    };
    (0..count).map(thing).collect()
}

#[test]
fn restored_objects_have_fresh_revisions_and_no_history() {
    let disk = Disk::new();
    let options = Options::default();
    let fresh = database(disk.clone(), &options).expect("opens");
    let last = restore(&fresh, FLOOR, things(20)).expect("restored");
    assert_eq!(last, Revision(FLOOR.0 + 21));
    assert!(matches!(restore(&fresh, FLOOR, things(1)), Err(RestoreError::NotEmpty)));
    drop(fresh);
    for _ in 0..2 {
        let (mut writer, mut memory) =
            Writer::open(database(disk.clone(), &options).expect("opens"), options).expect("loads");
        let page = memory.list("core/pods/", ListOptions::default()).expect("the current state");
        let names: Vec<&str> = page.entries.iter().map(|it| it.key.as_str()).collect();
        assert!(names.len() >= 20 && page.entries.iter().all(|it| it.revision > FLOOR));
        let first = page.entries[0].object.str_at(&["metadata", "resourceVersion"]).to_owned();
        assert_eq!(first, (FLOOR.0 + 1).to_string());
        // Also of kinds that had no object: something may have been deleted after the backup.
        for prefix in ["core/pods/", "core/nodes/", "core/pods/shop/", ""] {
            for revision in [1, 45, FLOOR.0, last.0 - 1] {
                assert!(memory.events_since(prefix, Revision(revision), 9).is_err(), "{prefix} {revision}");
                let at = ListOptions { at: Some(Revision(revision)), ..ListOptions::default() };
                assert!(memory.list(prefix, at).is_err(), "{prefix} {revision}");
            }
            assert!(memory.events_since(prefix, last, 9).is_ok(), "{prefix}");
        }
        let key = Key::new("core/nodes", "", &format!("n{}", memory.revision()));
        let change = Change::Put(Draft::new(&object(key.as_str(), 1, 0)).expect("an object"));
        let staged = writer.stage(Write { key, expect: Expect::Absent, change }, &memory).expect("staged");
        assert!(staged.revision > last);
        memory.publish(writer.commit().expect("a sound disk"));
        assert_eq!(memory.events_since("core/nodes/", staged.revision, 9).map(|it| it.len()), Ok(0));
        drop(writer);
    }
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    #[derive(Debug, thiserror::Error)]
    #[error("torn")]
    struct Torn;
    let disk = Disk::new();
    let fresh = database(disk.clone(), &Options::default()).expect("opens");
    let objects = things(3).into_iter().map(|it| it.map_err(|never| match never {})).chain([Err(Torn)]);
    assert!(matches!(restore(&fresh, FLOOR, objects), Err(RestoreError::Source(Torn))));
    assert_eq!(restore(&fresh, FLOOR, things(0)).expect("still empty"), FLOOR.next());
}
