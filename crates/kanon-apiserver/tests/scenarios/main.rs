//! The scenario suite (`README.md` beside this): one test a file, each against a server of its own; and the core of it with
//! every kubectl that is installed.
#![allow(clippy::disallowed_methods, reason = "tests of a shell")]
#![allow(clippy::disallowed_macros, reason = "a test that cannot run here says so")]

#[path = "runner/lib.rs"]
mod runner;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use kanon_apiserver::TestServer;
use kanon_cel::Cel;
use runner::{Need, Outcome, Scenario, Target};

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// One test for each file, so that a failure names it.
macro_rules! scenarios {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                check(stringify!($name)).await;
            }
        )*
    };
}

scenarios! {
    access apply builtin definitions deletion discovery endpoints eviction failures failures_custom kubectl_access
    kubectl_apply kubectl_change kubectl_create kubectl_custom kubectl_delete kubectl_node kubectl_read lists patches
    stamping tables watches webhooks
}

fn read(name: &str) -> Scenario {
    Scenario::read(&Path::new(FOLDER).join(format!("{name}.yaml"))).unwrap_or_else(|it| panic!("{it}"))
}

fn target(server: &TestServer, kubectl: Option<PathBuf>) -> Target {
    Target { kubeconfig: server.kubeconfig(), offers: vec![Need::Embedded], kubectl, goes_on: true }
}

async fn check(name: &str) {
    let scenario = read(name);
    let server = TestServer::start(Arc::new(Cel::default())).await.expect("the server starts");
    let target = target(&server, runner::on_path());
    match runner::run(&scenario, &target).await {
        Outcome::Passed => {}
        Outcome::Skipped(why) => println!("skipped: {why}"),
        Outcome::Failed(problem) => panic!("{}: {problem}", scenario.title),
    }
}

#[test]
fn every_file_is_played() {
    let files = fs::read_dir(FOLDER).expect("the folder is here").map(|it| it.expect("readable").path());
    let yaml = files.filter(|it| it.extension().is_some_and(|it| it == "yaml"));
    let found: BTreeSet<String> = yaml.map(|it| it.file_stem().expect("a name").display().to_string()).collect();
    let played: BTreeSet<String> = NAMES.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(found, played, "files, and names in `scenarios!`");
    for name in NAMES {
        let scenario = read(name);
        assert!(!scenario.steps.is_empty() && !scenario.title.is_empty() && !scenario.spec.is_empty(), "{name}");
    }
}

/// Each kubectl that is installed, called by its own path: a dispatcher would always take the one of the server's version.
#[tokio::test(flavor = "multi_thread")]
async fn every_kubectl_plays_the_core() {
    let versions = runner::by_minor();
    if versions.is_empty() {
        println!("skipped: no kubectl of a single minor version is installed");
        return;
    }
    let core: Vec<(&str, Scenario)> =
        NAMES.iter().map(|it| (*it, read(it))).filter(|(_, it)| it.every_kubectl).collect();
    assert!(!core.is_empty());
    let server = TestServer::start(Arc::new(Cel::default())).await.expect("the server starts");
    let mut problems = Vec::new();
    for (minor, program) in versions {
        let target = target(&server, Some(program));
        for (name, scenario) in &core {
            match runner::run(scenario, &target).await {
                Outcome::Passed => println!("kubectl 1.{minor}: {name} passed"),
                Outcome::Skipped(why) => println!("kubectl 1.{minor}: {name} skipped: {why}"),
                Outcome::Failed(problem) => problems.push(format!("kubectl 1.{minor}: {name}: {problem}")),
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
