use std::time::Duration;

use kanon_core::{EffectId, Mono};

use super::*;
use crate::log::{entries, verify};

fn now() -> Now {
    Now::new(Timestamp::UNIX_EPOCH, Mono::default())
}

fn open(dir: &Path, segment_bytes: u64, max_bytes: u64) -> Result<DecisionLog, Error> {
    let retention = Retention { max_bytes, max_age: Duration::from_secs(1 << 40) };
    DecisionLog::open(dir, Options { segment_bytes, retention }, now())
}

fn record(name: &str) -> Payload {
    Payload::Outcome { now: now(), effect: EffectId(name.to_owned()), error: "x".repeat(100) }
}

fn newest(dir: &Path) -> PathBuf {
    files::segments(dir).unwrap().pop().unwrap().path
}

#[test]
fn what_was_appended_is_there_after_reopening_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 1 << 20, 1 << 30).unwrap();
    log.append(&[record("a"), record("b")], now().wall).unwrap();
    assert!(matches!(open(dir.path(), 1 << 20, 1 << 30), Err(Error::Locked(_))));
    let end = log.chain();
    drop(log);
    assert_eq!(verify(dir.path()).unwrap().end, end);
    let mut log = open(dir.path(), 1 << 20, 1 << 30).unwrap();
    log.append(&[record("c")], now().wall).unwrap();
    let found = entries(dir.path(), |it| it.record["kind"] == "outcome").unwrap();
    assert_eq!(found.iter().map(|it| it.record["effect"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(found.iter().map(|it| it.seq).collect::<Vec<_>>(), [2, 3, 5]);
}

#[test]
fn a_torn_last_line_is_cut_and_the_cut_recorded() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 1 << 20, 1 << 30).unwrap());
    for torn in ["{", r#"{"seq":2,"prev":"0"#, "\u{fffd}"] {
        let mut file = OpenOptions::new().append(true).open(newest(dir.path())).unwrap();
        file.write_all(torn.as_bytes()).unwrap();
        let before = verify(dir.path()).unwrap();
        assert_eq!(before.torn, torn.len() as u64);
        drop(open(dir.path(), 1 << 20, 1 << 30).unwrap());
        let last = entries(dir.path(), |_| true).unwrap().pop().unwrap();
        assert_eq!(last.record["cut"], torn.len());
        assert_eq!(verify(dir.path()).unwrap().records, before.records + 1);
    }
}

#[test]
fn retention_drops_whole_segments_and_the_rest_still_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 1000, 4000).unwrap();
    for n in 0..100 {
        log.append(&[record(&n.to_string())], now().wall).unwrap();
    }
    let report = verify(dir.path()).unwrap();
    assert!(report.dropped > 50 && report.segments <= 6, "{report:?}");
    assert_eq!(report.dropped + report.records, 101);
    // Stopped between noting the drop and removing the file.
    let second = files::segments(dir.path()).unwrap().swap_remove(1);
    let chain = Chain::resume(second.first - 1, {
        let mut end = None;
        walk(dir.path(), |chain, _, segment| {
            if segment.first < second.first {
                end = Some(chain.hash());
            }
            Ok(())
        })
        .unwrap();
        end.unwrap()
    });
    files::set_dropped(dir.path(), chain).unwrap();
    assert_eq!(verify(dir.path()).unwrap().dropped, chain.seq());
    drop(log);
    drop(open(dir.path(), 1000, 1 << 30).unwrap());
    assert_eq!(verify(dir.path()).unwrap().records, 102 - chain.seq());
}

#[test]
fn tampering_and_missing_segments_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 500, 1 << 30).unwrap();
    for n in 0..12 {
        log.append(&[record(&n.to_string())], now().wall).unwrap();
    }
    drop(log);
    let path = newest(dir.path());
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replacen("xxx", "xyx", 1)).unwrap();
    assert!(matches!(verify(dir.path()), Err(Error::Broken { line: 1, .. })));
    assert!(matches!(open(dir.path(), 500, 1 << 30), Err(Error::Broken { .. })));
    fs::write(&path, good).unwrap();
    fs::remove_file(&files::segments(dir.path()).unwrap()[1].path).unwrap();
    assert!(matches!(verify(dir.path()), Err(Error::Gap { .. })));
}
