//! Figures of the store on this machine's disk: durable commits by batch size, opening 100,000 objects after an orderly
//! stop and after a kill, reading events. `cargo run --release -p kanon-store --example store_bench [folder]`
//!
//! It also measures what redb's quick repair would cost and gain, which is why the store does without it.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock and its arguments")]
#![allow(clippy::disallowed_macros, reason = "a bench prints its figures")]

use std::{
    error::Error,
    fs::{self, File, OpenOptions},
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kanon_store::{
    Change, Draft, Expect, Key, ListOptions, Memory, Options, Revision, Write, Writer, database,
    redb::{self, backends::FileBackend},
};
use serde_json::json;

type Res<T> = Result<T, Box<dyn Error>>;

const TABLE: redb::TableDefinition<'static, u64, &[u8]> = redb::TableDefinition::new("log");

/// Objects in the large store.
const OBJECTS: usize = 100_000;

fn main() -> Res<()> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("store_bench_{}.redb", std::process::id()));
    println!("object: {} bytes of JSON", draft(0).with(Revision(100_000)).text().len());
    let begin = Instant::now();
    drop(fresh(&path)?);
    println!("make a new store and close it: {:?}", begin.elapsed());
    for batch in [1, 16, 64, 256] {
        commits(&path, batch)?;
    }
    let killed = fill(&path)?;
    open_times("after an orderly stop", &path)?;
    open_times("after a kill", &killed)?;
    reads(&path)?;
    repair(&folder)?;
    for path in [path, killed] {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// A Pod of about 1.5 kB.
fn draft(number: usize) -> Draft {
    let containers: Vec<_> = (0..3)
        .map(|it| {
            json!({
                "name": format!("container-{it}"), "image": format!("registry.example/team/app-{it}:1.{number}"),
                "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                "env": [{"name": "LOG", "value": "info"}, {"name": "REGION", "value": "north"}],
                "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
                "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 10},
            })
        })
        .collect();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("pod-{number}"), "namespace": format!("team-{}", number % 50),
            "uid": format!("00000000-0000-4000-8000-{number:012}"), "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": format!("app-{}", number % 500), "tier": "web"},
        },
        "spec": {"containers": containers, "serviceAccountName": "default"},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    });
    Draft::new(&pod).expect("an object")
}

fn key(number: usize) -> Key {
    Key::new("core/pods", &format!("team-{}", number % 50), &format!("pod-{number}"))
}

fn open(path: &Path) -> Res<(Writer, Memory)> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let options = Options::default();
    Ok(Writer::open(database(FileBackend::new(file)?, &options)?, options)?)
}

fn fresh(path: &Path) -> Res<(Writer, Memory)> {
    File::create(path)?;
    open(path)
}

fn create(writer: &mut Writer, memory: &mut Memory, numbers: std::ops::Range<usize>) -> Res<()> {
    for number in numbers {
        let write = Write { key: key(number), expect: Expect::Absent, change: Change::Put(draft(number)) };
        writer.stage(write, memory)?;
    }
    memory.publish(writer.commit()?);
    Ok(())
}

fn commits(path: &Path, batch: usize) -> Res<()> {
    let (mut writer, mut memory) = fresh(path)?;
    let mut times = Vec::new();
    let mut done = 0;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        let drafts: Vec<_> = (done..done + batch).map(|number| (key(number), draft(number))).collect();
        let commit = Instant::now();
        for (key, draft) in drafts {
            writer.stage(Write { key, expect: Expect::Absent, change: Change::Put(draft) }, &memory)?;
        }
        let ready = writer.commit()?;
        times.push(commit.elapsed());
        memory.publish(ready);
        done += batch;
    }
    let busy: Duration = times.iter().sum();
    times.sort();
    let rate = done as f64 / busy.as_secs_f64();
    println!("batch {batch:>3}: {rate:>8.0} durable creates/s, median commit {:?}", times[times.len() / 2]);
    Ok(())
}

/// Leaves the large store at `path`, orderly, and a copy as a kill would leave it.
fn fill(path: &Path) -> Res<PathBuf> {
    let (mut writer, mut memory) = fresh(path)?;
    for start in (0..OBJECTS).step_by(256) {
        create(&mut writer, &mut memory, start..(start + 256).min(OBJECTS))?;
    }
    let killed = path.with_extension("killed");
    fs::copy(path, &killed)?;
    println!("{OBJECTS} objects: file {} MiB", fs::metadata(path)?.len() >> 20);
    Ok(killed)
}

fn open_times(what: &str, path: &Path) -> Res<()> {
    let begin = Instant::now();
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let options = Options::default();
    let database = database(FileBackend::new(file)?, &options)?;
    let opened = begin.elapsed();
    let (_writer, memory) = Writer::open(database, options)?;
    println!("open {what}: {:?}, of which redb {opened:?}; {} objects", begin.elapsed(), memory.count(""));
    Ok(())
}

fn reads(path: &Path) -> Res<()> {
    let (mut writer, mut memory) = open(path)?;
    let (mut slowest, mut total) = (Duration::ZERO, Duration::ZERO);
    for round in 0..100 {
        for number in (OBJECTS + round * 256)..(OBJECTS + round * 256 + 256) {
            writer.stage(
                Write { key: key(number), expect: Expect::Absent, change: Change::Put(draft(number)) },
                &memory,
            )?;
        }
        let batch = writer.commit()?;
        let begin = Instant::now();
        let retired = memory.publish(batch);
        let locked = begin.elapsed();
        drop(retired);
        slowest = slowest.max(locked);
        total += locked;
    }
    println!("publish a batch of 256: {:?} mean, {slowest:?} slowest", total / 100);
    let begin = Instant::now();
    let mut events = 0;
    while begin.elapsed() < Duration::from_secs(1) {
        let mut at = memory.compacted();
        loop {
            let part = black_box(memory.events_since("core/pods/", at, 256)?);
            let Some(last) = part.last() else { break };
            at = last.revision;
            events += part.len();
        }
    }
    println!("events_since, 256 at a time: {:.1} M events/s", events as f64 / begin.elapsed().as_secs_f64() / 1e6);
    for (what, prefix, limit) in [
        ("all", "core/pods/", None),
        ("first 500", "core/pods/", Some(500)),
        ("one namespace", "core/pods/team-7/", None),
    ] {
        let begin = Instant::now();
        let page = memory.list(prefix, ListOptions { limit, ..ListOptions::default() })?;
        println!("list {what}: {} objects in {:?}", page.entries.len(), begin.elapsed());
    }
    Ok(())
}

/// The same rows in plain redb, with and without quick repair, turn by turn: the cost of a commit and the time to open
/// after a kill.
fn repair(folder: &Path) -> Res<()> {
    let path = |quick: bool| folder.join(format!("store_bench_{}_{quick}.redb", std::process::id()));
    let databases =
        [false, true].map(|quick| (quick, redb::Builder::new().set_cache_size(4 << 20).create(path(quick))));
    let mut times = [Vec::new(), Vec::new()];
    let text = draft(0).with(Revision(1));
    for commit in 0..OBJECTS.div_ceil(64) as u64 {
        for (quick, database) in &databases {
            let database = database.as_ref().map_err(ToString::to_string)?;
            let begin = Instant::now();
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(*quick);
            {
                let mut table = transaction.open_table(TABLE)?;
                for row in 0..64 {
                    table.insert(commit * 64 + row, text.text().as_ref())?;
                }
            }
            transaction.commit()?;
            times[usize::from(*quick)].push(begin.elapsed());
        }
    }
    for (quick, mut times) in [false, true].into_iter().zip(times) {
        times.sort();
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len())?;
        let killed = path(quick).with_extension("killed");
        fs::copy(path(quick), &killed)?;
        let begin = Instant::now();
        let database = redb::Builder::new().set_cache_size(4 << 20).open(&killed)?;
        let opened = begin.elapsed();
        let median = times[times.len() / 2];
        println!(
            "quick repair {quick:>5}: commit of 64 {median:?} median, {mean:?} mean; open after a kill {opened:?}"
        );
        drop(database);
        fs::remove_file(killed)?;
    }
    drop(databases);
    for quick in [false, true] {
        fs::remove_file(path(quick))?;
    }
    Ok(())
}
