//! The writer thread: durable before it is acknowledged, in order, with clear errors.

use kanon_store::{Change, Draft, EventKind, Expect};
use serde_json::json;

use super::*;

fn put(name: &str, expect: Expect) -> Write {
    let draft = Draft::new(&json!({"metadata": {"name": name}})).expect("an object");
    Write { key: Key::new("core/configmaps", "shop", name), expect, change: Change::Put(draft) }
}

#[tokio::test]
async fn a_write_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::Folder(folder.path().join("state"));
    let store = Storage::open(&place, Options::default()).expect("opened");
    let staged = store.write(put("a", Expect::Absent)).await.expect("written");
    assert_eq!(store.revision(), staged.revision);
    assert!(matches!(
        Storage::open(&place, Options::default()),
        Err(OpenError::Store { source: kanon_store::Error::InUse, .. })
    ));
    store.close().await;
    assert!(matches!(store.write(put("b", Expect::Absent)).await, Err(WriteError::Failed(_))));
    let again = Storage::open(&place, Options::default()).expect("opened");
    assert_eq!(again.get(&Key::new("core/configmaps", "shop", "a")).map(|it| it.revision), Some(staged.revision));
    again.close().await;
}

#[tokio::test]
async fn of_concurrent_creates_one_wins_and_watchers_see_each_once() {
    let store = Storage::open(&Place::Memory, Options::default()).expect("opened");
    let mut woken = store.subscribe("core/configmaps/");
    let writes = (0..50).map(|it| put(&format!("n{}", it % 10), Expect::Absent)).collect();
    let answers = store.write_all(writes).await;
    assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 10);
    assert!(answers.iter().skip(10).all(|it| matches!(it, Err(WriteError::Rejected(Some(_))))));
    woken.changed().await.expect("woken");
    let events = store.read(|memory| memory.events_since("core/configmaps/", Revision::FIRST, 100)).expect("kept");
    assert!(events.len() == 10 && events.iter().all(|it| it.kind == EventKind::Added));
    assert!(events.is_sorted_by_key(|it| it.revision));
    assert!(store.reached(store.revision(), Duration::ZERO).await);
    assert!(!store.reached(store.revision().next(), Duration::from_millis(10)).await);
}

#[tokio::test]
async fn unusable_places_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("objects.redb"), vec![7; 5000]).expect("written");
    let error = Storage::open(&Place::Folder(folder.path().to_owned()), Options::default()).err().expect("damaged");
    assert!(error.to_string().contains("objects.redb") && error.to_string().contains("damaged"), "{error}");
    let file = folder.path().join("objects.redb");
    let error = Storage::open(&Place::Folder(file), Options::default()).err().expect("a file is no folder");
    assert!(matches!(error, OpenError::File { .. }), "{error}");
}

#[tokio::test]
async fn while_the_disk_fails_writes_are_refused_and_reads_go_on() {
    let disk = kanon_store::Disk::new();
    let store = Storage::open(&Place::Disk(disk.clone()), Options::default()).expect("opened");
    let kept = store.write(put("kept", Expect::Absent)).await.expect("written");
    disk.fail_from(Some(disk.operations()));
    for name in ["lost", "lost-too"] {
        let refused = store.write(put(name, Expect::Absent)).await;
        assert!(matches!(&refused, Err(WriteError::Failed(problem)) if !problem.is_empty()), "{refused:?}");
        assert_eq!(store.get(&Key::new("core/configmaps", "shop", name)).map(|it| it.revision), None);
    }
    assert!(store.get(&Key::new("core/configmaps", "shop", "kept")).is_some(), "reads go on");
    disk.fail_from(None);
    let again = store.write(put("again", Expect::Absent)).await.expect("the disk is back");
    assert!(again.revision > kept.revision);
}
