//! Every place a disk can fail, one after the other: acknowledged batches survive, others are whole or absent.

use kanon_store::{Change, Disk, Draft, Error, Expect, Key, Memory, Options, Revision, Write, Writer, database};

use crate::{reference::object, script::coins};

/// Objects of one batch.
const BATCH: usize = 5;

/// What a fault leaves behind.
#[derive(Clone, Copy, Debug)]
enum Aftermath {
    /// The process goes on: what was written is there.
    Process,
    /// The power goes: of what was not synced, some sectors are there.
    PowerCut(u64),
}

fn options() -> Options {
    // Little history, so that commits delete rows as well.
    Options { cache_bytes: 1 << 20, history_events: 2 * BATCH, history_bytes: usize::MAX }
}

fn open(disk: &Disk) -> Result<(Writer, Memory), Error> {
    Writer::open(database(disk.clone(), &options())?, options())
}

/// Stages batch `number`: it creates objects, replaces those of the batch before, and deletes those of the one before that.
fn stage(writer: &mut Writer, memory: &Memory, number: usize) {
    for (age, what) in [(0, "create"), (1, "replace"), (2, "delete")] {
        for item in (0..BATCH).filter(|_| age <= number) {
            let key = Key::new("core/pods", "shop", &format!("{}-{item}", number - age));
            let expect = memory.get(&key).map_or(Expect::Absent, |entry| Expect::At(entry.revision));
            let body = u32::try_from(number).expect("few batches");
            // Texts of several sectors and pages.
            let mut text = object(key.as_str(), body, 0);
            text["spec"]["filler"] = "x".repeat(700 * item).into();
            let draft = Draft::new(&text).expect("an object");
            let change = if what == "delete" { Change::Delete(draft) } else { Change::Put(draft) };
            writer.stage(Write { key, expect, change }, memory).expect("the state is as expected");
        }
    }
}

/// The number of batches in the memory, if none is there by half.
fn whole_batches(memory: &Memory) -> usize {
    let (mut at, mut batches) = (1, 0);
    while at < memory.revision().0 {
        at += (BATCH * (batches + 1).min(3)) as u64;
        batches += 1;
    }
    assert_eq!(at, memory.revision().0, "half a batch");
    let page = memory.list("core/pods/", kanon_store::ListOptions::default()).expect("the current state");
    let names: Vec<&str> = page.entries.iter().map(|entry| entry.object.str_at(&["metadata", "name"])).collect();
    let mut want: Vec<String> = (batches.saturating_sub(2)..batches)
        .flat_map(|batch| (0..BATCH).map(move |item| format!("core/pods/shop/{batch}-{item}")))
        .collect();
    want.sort();
    assert_eq!(names, want);
    for entry in &page.entries {
        let body = entry.object.at(&["spec", "body"]).and_then(|node| node.as_i64());
        assert_eq!(body, Some(batches as i64 - 1), "every object left is from the last batch");
    }
    batches
}

/// Runs batches until the fault strikes; says how many were acknowledged.
fn run(disk: &Disk, batches: usize) -> Result<usize, Error> {
    let (mut writer, mut memory) = open(disk)?;
    let mut done = whole_batches(&memory);
    while done < batches {
        stage(&mut writer, &memory, done);
        match writer.commit() {
            Ok(batch) => memory.publish(batch),
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                return Ok(done);
            }
        };
        done += 1;
    }
    Ok(done)
}

fn check(fault: u64, aftermath: Aftermath) -> bool {
    const BATCHES: usize = 4;
    let disk = Disk::new();
    disk.fail_from(Some(fault));
    let acknowledged = match run(&disk, BATCHES) {
        Ok(done) => done,
        Err(error) => {
            assert!(error.is_transient(), "{error:?}");
            0
        }
    };
    let struck = disk.operations() > fault;
    disk.fail_from(None);
    let disk = match aftermath {
        Aftermath::Process => disk,
        Aftermath::PowerCut(seed) => disk.power_cut(coins(seed)),
    };
    let context = format!("fault at {fault}, {aftermath:?}");
    let (_, memory) = open(&disk).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let survived = whole_batches(&memory);
    assert!(survived == acknowledged || survived == acknowledged + 1, "{context}: {survived} of {acknowledged}");
    assert_eq!(run(&disk, BATCHES + 1).expect("the disk is sound again"), BATCHES + 1, "{context}");
    struck
}

#[test]
fn a_disk_may_fail_anywhere() {
    let seeds = crate::cases(12).cases;
    let aftermaths = |fault: u64| {
        let cuts = (0..u64::from(seeds)).map(move |seed| Aftermath::PowerCut((fault * 1_000_003 + seed) * 0x9E37_79B9));
        std::iter::once(Aftermath::Process).chain(cuts)
    };
    let struck = (0..).take_while(|fault| aftermaths(*fault).all(|aftermath| check(*fault, aftermath))).count();
    assert!(struck > 20, "the workload makes {struck} disk operations");
}

#[test]
fn a_closed_writer_stays_closed_until_reopened() {
    let disk = Disk::new();
    let (mut writer, mut memory) = open(&disk).expect("opens");
    stage(&mut writer, &memory, 0);
    disk.fail_from(Some(disk.operations()));
    assert!(matches!(writer.commit(), Err(Error::Storage(_))));
    disk.fail_from(None);
    stage(&mut writer, &memory, 0);
    assert!(matches!(writer.commit(), Err(Error::Closed)));
    let batch = writer.reopen(database(disk, &options()).expect("opens"), &memory).expect("loads");
    memory.publish(batch);
    assert_eq!(whole_batches(&memory), 0);
    stage(&mut writer, &memory, 0);
    let batch = writer.commit().expect("the disk is sound again");
    assert!(
        batch.events()[0].revision > Revision(1 + 2 * BATCH as u64),
        "revisions of failed commits are not given away again"
    );
}

#[test]
fn a_file_that_lacks_what_was_acknowledged_is_refused() {
    let disk = Disk::new();
    let (mut writer, mut memory) = open(&disk).expect("opens");
    let old = Disk::with(disk.content());
    stage(&mut writer, &memory, 0);
    memory.publish(writer.commit().expect("a sound disk"));
    let outcome = writer.reopen(database(old, &options()).expect("opens"), &memory);
    assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{outcome:?}");
}
