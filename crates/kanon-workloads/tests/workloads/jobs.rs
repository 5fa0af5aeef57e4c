//! Jobs and cron jobs.

use serde_json::{Value, json};

use crate::sim::{Sim, condition, numbers, text};

fn job(spec: Value, simulate: &str) -> Value {
    let mut job = json!({"metadata": {"name": "work"}, "spec": {"template": {
        "metadata": {"annotations": {"kanon.dev/simulate": simulate}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "work:1"}]}}}});
    for (name, value) in spec.as_object().expect("an object") {
        job["spec"][name] = value.clone();
    }
    job
}

const COUNTS: [&str; 3] = ["active", "succeeded", "failed"];

#[test]
fn a_job_completes_when_enough_pods_succeeded() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"completions": 5, "parallelism": 2}), "run=10s"));
    sim.pass(5);
    assert_eq!(numbers(&sim.get("batch/jobs/work"), &COUNTS), "active=2 succeeded=0 failed=0");
    let pods = sim.list("pods");
    assert_eq!(pods[0]["metadata"]["labels"]["batch.kubernetes.io/job-name"], "work");
    assert_eq!(pods[0]["metadata"]["finalizers"], json!(["batch.kubernetes.io/job-tracking"]));
    sim.pass(60);
    let job = sim.get("batch/jobs/work");
    assert_eq!(numbers(&job, &COUNTS), "active=0 succeeded=5 failed=0");
    assert_eq!(condition(&job, "Complete"), "True CompletionsReached");
    assert!(job["status"]["startTime"].is_string() && job["status"]["completionTime"].is_string());
    assert_eq!(job["status"]["uncountedTerminatedPods"], json!({}));
    assert!(sim.list("pods").iter().all(|it| it["metadata"]["finalizers"].is_null()));
    assert_eq!(sim.list("pods").len(), 5);
    assert!(sim.notes("work").contains(&"Completed: Job completed".to_owned()));
}

#[test]
fn counts_survive_the_pods() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"completions": 3, "parallelism": 1}), "run=10s"));
    sim.pass(15);
    let done = sim.list("pods").into_iter().find(|it| it["status"]["phase"] == "Succeeded").unwrap();
    sim.delete(&format!("pods/{}", text(&done["metadata"]["name"])));
    sim.pass(60);
    assert_eq!(numbers(&sim.get("batch/jobs/work"), &COUNTS), "active=0 succeeded=3 failed=0");
    assert_eq!(sim.list("pods").len(), 2);
}

#[test]
fn a_job_fails_after_its_tries() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"backoffLimit": 2}), "run=1s, exit=1"));
    sim.pass(5);
    assert_eq!(numbers(&sim.get("batch/jobs/work"), &COUNTS), "active=0 succeeded=0 failed=1", "waits ten seconds");
    sim.pass(120);
    let job = sim.get("batch/jobs/work");
    assert_eq!(numbers(&job, &COUNTS), "active=0 succeeded=0 failed=3");
    assert_eq!(condition(&job, "Failed"), "True BackoffLimitExceeded");
    assert_eq!(condition(&job, "FailureTarget"), "True BackoffLimitExceeded");
}

#[test]
fn jobs_are_ended_by_their_deadline() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"activeDeadlineSeconds": 30}), "run=1h"));
    sim.pass(29);
    assert_eq!(numbers(&sim.get("batch/jobs/work"), &COUNTS), "active=1 succeeded=0 failed=0");
    sim.pass(5);
    assert_eq!(condition(&sim.get("batch/jobs/work"), "Failed"), "True DeadlineExceeded");
    assert!(sim.list("pods").is_empty());
}

#[test]
fn a_suspended_job_loses_its_pods_and_counts_none_as_failed() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"completions": 2, "parallelism": 2, "suspend": true}), "run=10s"));
    sim.pass(5);
    assert_eq!(condition(&sim.get("batch/jobs/work"), "Suspended"), "True JobSuspended");
    assert!(sim.list("pods").is_empty());
    sim.patch("batch/jobs/work", json!({"spec": {"suspend": false}}));
    sim.pass(5);
    assert_eq!(sim.list("pods").len(), 2);
    sim.patch("batch/jobs/work", json!({"spec": {"suspend": true}}));
    sim.pass(5);
    let job = sim.get("batch/jobs/work");
    assert_eq!((numbers(&job, &COUNTS).as_str(), sim.list("pods").len()), ("active=0 succeeded=0 failed=0", 0));
    assert!(job["status"]["startTime"].is_null());
    sim.patch("batch/jobs/work", json!({"spec": {"suspend": false}}));
    sim.pass(30);
    assert_eq!(condition(&sim.get("batch/jobs/work"), "Complete"), "True CompletionsReached");
}

#[test]
fn indexed_jobs_do_every_number_once() {
    let mut sim = Sim::new();
    let spec = json!({"completions": 4, "parallelism": 3, "completionMode": "Indexed"});
    sim.create("batch", "jobs", job(spec, "run=10s"));
    sim.pass(60);
    let job = sim.get("batch/jobs/work");
    assert_eq!(
        (text(&job["status"]["completedIndexes"]), numbers(&job, &COUNTS).as_str()),
        ("0-3", "active=0 succeeded=4 failed=0")
    );
    let pods = sim.list("pods");
    let mut hosts: Vec<&str> = pods.iter().map(|it| text(&it["spec"]["hostname"])).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["work-0", "work-1", "work-2", "work-3"]);
}

/// A job whose pods end with this code, by these rules.
fn judged(rules: Value, simulate: &str) -> (Sim, Value) {
    let mut sim = Sim::new();
    let spec = json!({"backoffLimit": 1, "podFailurePolicy": {"rules": rules}});
    sim.create("batch", "jobs", job(spec, simulate));
    sim.pass(120);
    let job = sim.get("batch/jobs/work");
    (sim, job)
}

#[test]
fn failed_pods_mean_what_the_policy_says() {
    let codes = |action: &str, operator: &str, values: &[i64]| json!({"action": action, "onExitCodes": {"operator": operator, "values": values}});
    let (sim, failed) = judged(json!([codes("FailJob", "In", &[3])]), "run=1s, exit=3");
    assert_eq!(condition(&failed, "Failed"), "True PodFailurePolicy");
    let why = failed["status"]["conditions"].as_array().and_then(|it| it.iter().find(|it| it["type"] == "Failed"));
    let pod = text(&sim.list("pods")[0]["metadata"]["name"]).to_owned();
    assert_eq!(
        why.map(|it| text(&it["message"])),
        Some(
            format!("Container main for pod shop/{pod} failed with exit code 3 matching FailJob rule at index 0")
                .as_str()
        )
    );
    assert_eq!(numbers(&failed, &COUNTS), "active=0 succeeded=0 failed=1");
    let (_, counted) = judged(json!([codes("Count", "In", &[3]), codes("FailJob", "NotIn", &[4])]), "run=1s, exit=3");
    assert_eq!(condition(&counted, "Failed"), "True BackoffLimitExceeded", "the first rule counts");
    let (sim, ignored) = judged(json!([codes("Ignore", "NotIn", &[1])]), "run=1s, exit=3");
    assert_eq!((condition(&ignored, "Failed").as_str(), numbers(&ignored, &["failed"]).as_str()), ("", "failed=0"));
    assert!(sim.list("pods").len() > 3, "it is tried on and on");
}

#[test]
fn indexes_have_limits_of_their_own() {
    let mut sim = Sim::new();
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1});
    let mut work = job(spec, "run=1s");
    work["spec"]["template"]["metadata"]["annotations"]["kanon.dev/simulate"] = json!("run=1s, exit=1");
    sim.create("batch", "jobs", work);
    sim.pass(5);
    let job = sim.get("batch/jobs/work");
    assert_eq!(
        (text(&job["status"]["failedIndexes"]), numbers(&job, &COUNTS).as_str()),
        ("", "active=0 succeeded=0 failed=3")
    );
    sim.pass(30);
    let job = sim.get("batch/jobs/work");
    assert_eq!(
        (text(&job["status"]["failedIndexes"]), numbers(&job, &COUNTS).as_str()),
        ("0-2", "active=0 succeeded=0 failed=6")
    );
    assert_eq!(condition(&job, "Failed"), "True FailedIndexes");
}

#[test]
fn a_job_gives_up_when_too_many_indexes_failed() {
    let mut sim = Sim::new();
    let spec = json!({"completions": 5, "parallelism": 1, "completionMode": "Indexed", "backoffLimitPerIndex": 0, "maxFailedIndexes": 1});
    sim.create("batch", "jobs", job(spec, "run=1s, exit=1"));
    sim.pass(60);
    let job = sim.get("batch/jobs/work");
    assert_eq!(condition(&job, "Failed"), "True MaxFailedIndexesExceeded");
    assert_eq!(text(&job["status"]["failedIndexes"]), "0,1");
}

#[test]
fn a_job_has_succeeded_when_its_policy_says_so() {
    let mut sim = Sim::new();
    let spec = json!({"completions": 5, "parallelism": 2, "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededIndexes": "4"}, {"succeededCount": 2}]}});
    sim.create("batch", "jobs", job(spec, "run=10s"));
    sim.pass(60);
    let job = sim.get("batch/jobs/work");
    assert_eq!(condition(&job, "Complete"), "True SuccessPolicy");
    assert_eq!(text(&job["status"]["completedIndexes"]), "0,1");
}

#[test]
fn ended_jobs_go_after_their_time() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"ttlSecondsAfterFinished": 60}), ""));
    sim.pass(30);
    assert_eq!(condition(&sim.get("batch/jobs/work"), "Complete"), "True CompletionsReached");
    sim.pass(60);
    assert!(sim.get("batch/jobs/work").is_null() && sim.list("pods").is_empty());
}

#[test]
fn a_deleted_job_takes_its_pods_with_it() {
    let mut sim = Sim::new();
    sim.create("batch", "jobs", job(json!({"parallelism": 3, "completions": 3}), "run=1h"));
    sim.settle();
    assert_eq!(sim.list("pods").len(), 3);
    sim.delete("batch/jobs/work");
    sim.pass(5);
    assert!(sim.list("pods").is_empty());
}

fn cron(spec: Value, simulate: &str) -> Value {
    let mut work = job(json!({}), simulate);
    let template = json!({"spec": work["spec"].take()});
    let mut cron = json!({"metadata": {"name": "tick"}, "spec": {"schedule": "*/10 * * * *", "jobTemplate": template}});
    for (name, value) in spec.as_object().expect("an object") {
        cron["spec"][name] = value.clone();
    }
    cron
}

/// How many jobs were made in an hour, and how many are left.
fn hour(spec: Value, simulate: &str) -> (usize, usize) {
    let mut sim = Sim::new();
    sim.create("batch", "cronjobs", cron(spec, simulate));
    sim.counts.clear();
    sim.pass(3600);
    (sim.counts.get("create Job").copied().unwrap_or_default(), sim.list("batch/jobs").len())
}

#[test]
fn cron_jobs_keep_their_schedule() {
    assert_eq!(hour(json!({}), ""), (6, 3 + 1), "three are kept, and the one that just began");
    assert_eq!(hour(json!({"successfulJobsHistoryLimit": 0}), ""), (6, 1));
    assert_eq!(hour(json!({"suspend": true}), ""), (0, 0));
    assert_eq!(hour(json!({"schedule": "@hourly", "timeZone": "Asia/Kolkata"}), ""), (1, 1));
    // At 09:10; at 09:35, for the time that was missed at 09:30; at 10:00.
    assert_eq!(hour(json!({"concurrencyPolicy": "Forbid"}), "run=25m"), (3, 3));
    assert_eq!(hour(json!({"concurrencyPolicy": "Replace"}), "run=25m"), (6, 1));
    assert_eq!(hour(json!({}), "run=25m").0, 6);
}

#[test]
fn what_a_cron_job_made_is_written_down() {
    let mut sim = Sim::new();
    sim.create("batch", "cronjobs", cron(json!({}), "run=1m"));
    sim.pass(630);
    let status = sim.get("batch/cronjobs/tick")["status"].clone();
    assert_eq!(status["lastScheduleTime"], "2026-11-21T09:10:00Z");
    assert_eq!(status["active"].as_array().map(Vec::len), Some(1));
    let job = sim.list("batch/jobs").remove(0);
    assert_eq!(
        job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "2026-11-21T09:10:00Z"
    );
    sim.pass(60);
    let status = sim.get("batch/cronjobs/tick")["status"].clone();
    assert!(status["active"].is_null() && status["lastSuccessfulTime"].is_string(), "{status}");
}
