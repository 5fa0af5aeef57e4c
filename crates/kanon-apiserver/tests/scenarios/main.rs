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

use futures_util::{StreamExt as _, stream};
use kanon_apiserver::{Config, TestServer};
use kanon_cel::Cel;
use runner::{Need, Outcome, Scenario, Target};

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// How many kubectl play at a time.
const AT_ONCE: usize = 3;
/// The specification's checklist, with the tests behind each line.
const CHECKLIST: &str = include_str!("../../../../docs/kubernetes-api.md");

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
    access apply builtin custom_patches custom_requests day day_workloads definitions deletion discovery endpoints eviction failures failures_custom
    kubectl_access kubectl_apply kubectl_change kubectl_cold kubectl_create kubectl_custom kubectl_delete kubectl_node kubectl_read
    limits lists patches pod_security pods protobuf quota quota_workloads services stamping tables watches webhooks
}

fn read(name: &str) -> Scenario {
    Scenario::read(&Path::new(FOLDER).join(format!("{name}.yaml"))).unwrap_or_else(|it| panic!("{it}"))
}

/// A server of its own; workloads move only where a scenario is about that.
async fn start(simulate_workloads: bool) -> TestServer {
    let adjust = |config: &mut Config| config.simulate_workloads = simulate_workloads;
    TestServer::start_with(Arc::new(Cel::default()), adjust).await.expect("the server starts")
}

fn target(server: &TestServer, kubectl: Option<PathBuf>) -> Target {
    let offers = vec![Need::Embedded, Need::SimulatedWorkloads, Need::Core];
    Target { kubeconfig: server.kubeconfig(), offers, kubectl, goes_on: true, any_version: false }
}

async fn check(name: &str) {
    let scenario = read(name);
    let server = start(scenario.needs.contains(&Need::SimulatedWorkloads)).await;
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
    let server = start(false).await;
    // Several at a time: most of the time is kubectl's own start.
    let play = |(minor, program): (u32, PathBuf)| {
        let (target, core) = (target(&server, Some(program)), &core);
        async move {
            let mut problems = Vec::new();
            for (name, scenario) in core {
                match runner::run(scenario, &target).await {
                    Outcome::Passed => println!("kubectl 1.{minor}: {name} passed"),
                    Outcome::Skipped(why) => println!("kubectl 1.{minor}: {name} skipped: {why}"),
                    Outcome::Failed(problem) => problems.push(format!("kubectl 1.{minor}: {name}: {problem}")),
                }
            }
            problems
        }
    };
    let problems: Vec<String> = stream::iter(versions).map(play).buffer_unordered(AT_ONCE).concat().await;
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// Names of tests are lower case; `scenarios::NAME` stands for any.
fn is_test(text: &str) -> bool {
    text.contains("::") && !text.chars().any(char::is_uppercase)
}

/// Every test that the checklist names is there: `binary::module::name`, with the sources of this crate's tests.
#[test]
fn the_checklist_names_tests_that_exist() {
    let tests = Path::new(FOLDER).parent().expect("a folder above");
    let named: Vec<&str> = CHECKLIST.split('`').skip(1).step_by(2).filter(|it| is_test(it)).collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        let parts: Vec<&str> = name.split("::").collect();
        let found = match parts[..] {
            ["scenarios", name] => NAMES.contains(&name) || include_str!("main.rs").contains(&format!("fn {name}()")),
            ["apiserver", module, name] => {
                let source =
                    fs::read_to_string(tests.join("apiserver").join(format!("{module}.rs"))).unwrap_or_default();
                source.contains(&format!("fn {name}()"))
            }
            _ => false,
        };
        assert!(found, "docs/kubernetes-api.md names {name}, which is nowhere");
    }
}
