//! Reads of the API server that a decision waits for: all at once, within the time that the request has left.

use std::time::Duration;

use kanon_core::{Figure, FigureKind, Figures};
use kanon_kube::Api;
use kanon_plane::{LiveAnswer, LiveRead};
use tokio::task::JoinSet;

/// Reads by their end.
const READS: Figure = Figure {
    name: "kanon_live_reads_total",
    kind: FigureKind::Counter,
    help: "Reads of the API server for decisions of admission",
    labels: &["result"],
};

/// Makes the reads; every one of them has an answer.
pub(super) async fn read(
    api: &Api,
    figures: &Figures,
    reads: Vec<LiveRead>,
    within: Duration,
) -> Vec<(LiveRead, LiveAnswer)> {
    let mut tasks = JoinSet::new();
    for read in &reads {
        let (api, read) = (api.clone(), read.clone());
        tasks.spawn(async move {
            let found = tokio::time::timeout(within, kanon_kube::read_live(&api, &read)).await;
            (read, found.unwrap_or_else(|_| Err("the API server did not answer in the time of the request".to_owned())))
        });
    }
    let mut answers = Vec::with_capacity(reads.len());
    while let Some(done) = tasks.join_next().await {
        answers.extend(done.ok());
    }
    for read in reads {
        if !answers.iter().any(|it| it.0 == read) {
            answers.push((read, Err("the read broke off".to_owned())));
        }
    }
    for (_, answer) in &answers {
        figures.add(READS, &[if answer.is_ok() { "ok" } else { "error" }], 1);
    }
    answers
}
