//! One clear sentence and the exit code, for what goes wrong before anything runs.

use crate::harness::{Ran, Up, kanon};

fn up(args: &[&str]) -> Ran {
    Ran::of(kanon().args(["up", "--once", "--demo"]).args(args).output().expect("kanon runs"))
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = up(&["--ephemeral", "--listen", &address]).fails(1);
    assert!(error.starts_with("kanon: ") && error.contains(&address) && error.lines().count() == 1, "{error}");
}

#[test]
fn a_folder_that_the_environment_names_is_none_where_nothing_is_kept() {
    let scratch = tempfile::tempdir().expect("a folder");
    let (named, other) = (scratch.path().join("named"), scratch.path().join("other"));
    let up = |args: &[&str]| {
        let mut command = kanon();
        command.env("KANON_DATA_DIR", &named).args([
            "up",
            "--once",
            "--demo",
            "--listen",
            "127.0.0.1:0",
            "--ephemeral",
        ]);
        Ran::of(command.args(args).output().expect("kanon runs"))
    };
    up(&[]).ok();
    assert!(!named.exists());
    let error = up(&["--data-dir", &other.display().to_string()]).fails(2);
    assert!(error.contains("--ephemeral keeps nothing: leave out --data-dir"), "{error}");
}

#[test]
fn an_unwritable_data_folder_is_named() {
    let scratch = tempfile::tempdir().expect("a folder");
    let file = crate::harness::file(scratch.path(), "file", "not a folder");
    let error = up(&["--listen", "127.0.0.1:0", "--data-dir", &format!("{file}/data")]).fails(1);
    assert!(error.contains(&file) && error.lines().count() == 1, "{error}");
}

#[test]
fn a_data_folder_in_use_is_refused() {
    let running = Up::start();
    let error = up(&["--listen", "127.0.0.1:0", "--data-dir", &running.dir.display().to_string()]).fails(1);
    assert!(error.contains("use") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_corrupt_store_is_named_and_not_overwritten() {
    let (_, scratch) = Up::start().stop();
    let data = scratch.path().join("data");
    let store = std::fs::read_dir(&data).expect("a folder").filter_map(Result::ok).map(|it| it.path());
    let store = store.into_iter().find(|it| it.extension().is_some_and(|it| it == "redb")).expect("a store");
    let garbage = vec![0x5a; 64 << 10];
    std::fs::write(&store, &garbage).expect("the store is damaged");
    let error = up(&["--listen", "127.0.0.1:0", "--data-dir", &data.display().to_string()]).fails(1);
    assert!(error.contains("store") && error.lines().count() == 1, "{error}");
    assert_eq!(std::fs::read(&store).expect("the store"), garbage);
}

#[test]
fn senseless_command_lines_are_usage_errors() {
    for args in [&["up", "--listen", "nowhere"][..], &["explain", "nothing"], &["frobnicate"], &["up", "--once"]] {
        let ran = Ran::of(kanon().args(args).args(["--log-level", "off"]).output().expect("kanon runs"));
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
    }
}
