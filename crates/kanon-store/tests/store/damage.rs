//! Files that are damaged, newer or somebody else's: a clear error or, where the damage hit nothing, the whole truth.
//! Never a panic.

use kanon_store::{
    Change, Disk, Draft, Error, Expect, Key, ListOptions, Memory, Options, Write, Writer, database,
    redb::{self, ReadableDatabase as _, TableDefinition},
};
use proptest::prelude::*;

use crate::reference::object;

const OPTIONS: Options = Options { cache_bytes: 1 << 20, history_events: 8, history_bytes: usize::MAX };

fn open(disk: &Disk) -> Result<(Writer, Memory), Error> {
    Writer::open(database(disk.clone(), &OPTIONS)?, OPTIONS)
}

/// A store with some content, closed in order.
fn sound() -> Vec<u8> {
    let disk = Disk::new();
    let (mut writer, mut memory) = open(&disk).expect("opens");
    for round in 0..4 {
        for item in 0..6 {
            let key = Key::new("core/pods", "shop", &format!("{item}"));
            let expect = memory.get(&key).map_or(Expect::Absent, |entry| Expect::At(entry.revision));
            let change = Change::Put(Draft::new(&object(key.as_str(), round, 0)).expect("an object"));
            writer.stage(Write { key, expect, change }, &memory).expect("the state is as expected");
        }
        memory.publish(writer.commit().expect("a sound disk"));
    }
    drop(writer);
    disk.content()
}

/// All that readers can see.
fn texts(memory: &Memory) -> Vec<String> {
    let page = memory.list("", ListOptions::default()).expect("the current state");
    let states = page.entries.iter().map(|entry| format!("{entry:?} {:?}", entry.object));
    let events = memory.events_since("", memory.compacted(), usize::MAX).expect("not compacted");
    let events = events.iter().map(|event| format!("{event:?} {:?} {:?}", event.previous, event.frame));
    states.chain(events).chain([memory.revision().to_string()]).collect()
}

/// A redb file with one table of numbers.
fn foreign(table: &str, record: &str, number: u64) -> Disk {
    let disk = Disk::new();
    let database = redb::Builder::new().create_with_backend(disk.clone()).expect("creates");
    let write = database.begin_write().expect("begins");
    let definition = TableDefinition::<&str, u64>::new(table);
    write.open_table(definition).expect("opens").insert(record, number).expect("inserts");
    write.commit().expect("commits");
    drop(database);
    disk
}

#[test]
fn a_newer_format_is_named() {
    let outcome = open(&foreign("meta", "format", 3));
    assert!(matches!(outcome, Err(Error::Version { found: 3, known: 2 })), "{outcome:?}");
    let text = outcome.err().map(|it| it.to_string());
    assert_eq!(text.as_deref(), Some("the store has format 3, and this version reads formats up to 2"));
    // There never was one.
    assert!(matches!(open(&foreign("meta", "format", 0)), Err(Error::Corrupt { .. })));
}

#[test]
fn a_file_of_the_first_format_is_migrated() {
    let meta = TableDefinition::<&str, u64>::new("meta");
    let old = tampered(|write| {
        let mut table = write.open_table(meta)?;
        table.insert("format", 1)?;
        table.remove("floor")?;
        Ok(())
    });
    let want = texts(&open(&Disk::with(sound())).expect("opens").1);
    for _ in 0..2 {
        let (writer, memory) = open(&old).expect("migrated, then opened as it is");
        assert_eq!(texts(&memory), want);
        drop(writer);
    }
    let database = redb::Builder::new().create_with_backend(old).expect("opens");
    let read = database.begin_read().expect("reads");
    let format = read.open_table(meta).expect("there").get("format").expect("reads").map(|it| it.value());
    assert_eq!(format, Some(2));
}

#[test]
fn the_file_of_another_program_is_left_alone() {
    for disk in [foreign("prices", "apple", 3), foreign("meta", "apple", 3)] {
        let before = disk.content().len();
        let outcome = open(&disk);
        assert!(matches!(outcome, Err(Error::Foreign { .. })), "{outcome:?}");
        assert_eq!(disk.content().len(), before);
    }
}

/// A sound store after `change` to its tables.
fn tampered(change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>) -> Disk {
    let disk = Disk::with(sound());
    let database = redb::Builder::new().create_with_backend(disk.clone()).expect("opens");
    let write = database.begin_write().expect("begins");
    change(&write).expect("changes");
    write.commit().expect("commits");
    drop(database);
    disk
}

#[test]
fn records_that_contradict_each_other_are_corrupt() {
    const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
    const COMPACTED: TableDefinition<'static, &str, u64> = TableDefinition::new("compacted");
    const LOG: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");
    let disks = [
        // The last revision is before the last record, or unknown.
        tampered(|write| Ok(write.open_table(META)?.insert("revision", 20).map(drop)?)),
        tampered(|write| Ok(write.open_table(META)?.remove("revision").map(drop)?)),
        // The history claims to reach further back than it does, or less far.
        tampered(|write| Ok(write.open_table(COMPACTED)?.remove("core/pods/").map(drop)?)),
        tampered(|write| Ok(write.open_table(COMPACTED)?.insert("core/pods/", 24).map(drop)?)),
        // A record is gone whose object has later ones, or is no record at all, or a table is missing.
        tampered(|write| Ok(write.open_table(LOG)?.remove(14).map(drop)?)),
        tampered(|write| Ok(write.open_table(LOG)?.insert(20, b"nonsense".as_slice()).map(drop)?)),
        tampered(|write| Ok(write.delete_table(LOG).map(drop)?)),
        tampered(|write| Ok(write.delete_table(COMPACTED).map(drop)?)),
    ];
    for (number, disk) in disks.iter().enumerate() {
        let outcome = open(disk);
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "case {number}: {outcome:?}");
    }
}

#[test]
fn what_is_no_store_at_all_is_corrupt() {
    for content in [
        vec![0; 4 << 20],
        b"not a database".repeat(1000),
        vec![7; 1],
        sound()[..1000].to_vec(),
        sound()[..5000].to_vec(),
    ] {
        let len = content.len();
        let outcome = open(&Disk::with(content));
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{len} bytes: {:?}", outcome.map(|(_, memory)| memory));
    }
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn damage_is_found_or_harmless(places in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..6)) {
        let mut content = sound();
        let (_, memory) = open(&Disk::with(content.clone())).expect("sound");
        let want = texts(&memory);
        // Where something is written, or most places would be empty pages.
        let used: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
        for (place, bits) in places {
            content[used[place.index(used.len())]] ^= bits;
        }
        match open(&Disk::with(content)) {
            Ok((mut writer, memory)) => {
                prop_assert_eq!(texts(&memory), want);
                let change = Change::Put(Draft::new(&object("new", 1, 0)).expect("an object"));
                let key = Key::new("core/pods", "shop", "new");
                writer.stage(Write { key, expect: Expect::Absent, change }, &memory).expect("new");
                // Damage outside of what was read may show only now; that it ends as an error is all there is to ask.
                let _ = writer.commit();
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
