//! The embedded server beside another one, with random definitions of custom resources and random objects, good and bad: every answer is
//! compared, but for what no two servers share (uids, times, versions). The other one is upstream's server (`.ci/real-server`):
//!
//! ```text
//! .ci/real-server cargo run -p kanon-apiserver --example differential -- [--cases 200] [--seed 1] [--kubeconfig FILE] [--show 20]
//! ```
//!
//! A case is a definition and a few dozen requests to its objects; the same seed gives the same cases. What differs and may (`known.rs`) is counted.
//! It makes and deletes cluster-wide definitions there: not for a cluster that somebody needs.
#![allow(clippy::disallowed_methods, reason = "a program reads its arguments")]
#![allow(clippy::disallowed_macros, reason = "a program prints")]

mod compare;
mod generate;
mod known;
mod requests;
#[path = "../../tests/scenarios/runner/lib.rs"]
#[allow(dead_code, unused_imports, reason = "of the runner this needs the client and the words")]
mod runner;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use compare::Difference;
use generate::Random;
use kanon_apiserver::TestServer;
use kanon_cel::Cel;
use requests::Case;
use runner::{
    Client,
    http::{Answer, Sent},
};
use tokio::time::sleep;

/// What the command line says.
struct Arguments {
    kubeconfig: String,
    cases: u64,
    seed: u64,
    show: usize,
}

fn arguments() -> Result<Arguments, String> {
    let kubeconfig = env::var("KANON_REAL_KUBECONFIG").unwrap_or_default();
    let mut found = Arguments { kubeconfig, cases: 200, seed: 1, show: 20 };
    let mut given = env::args().skip(1);
    while let Some(argument) = given.next() {
        let value = given.next().ok_or_else(|| format!("{argument} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{argument}: `{value}` is no number"));
        match argument.as_str() {
            "--kubeconfig" => found.kubeconfig = value,
            "--cases" => found.cases = number()?,
            "--seed" => found.seed = number()?,
            "--show" => found.show = number()? as usize,
            other => return Err(format!("unknown option {other}")),
        }
    }
    if found.kubeconfig.is_empty() {
        return Err("no other server: name one with --kubeconfig, or start this through .ci/real-server".to_owned());
    }
    Ok(found)
}

/// The two servers.
struct Pair {
    ours: Client,
    other: Client,
}

/// What was found, in numbers.
#[derive(Default)]
struct Tally {
    requests: u64,
    succeeded: u64,
    known: BTreeMap<&'static str, u64>,
    unknown: u64,
}

impl Pair {
    /// The same request to both.
    async fn ask(&self, ours: &Sent, other: &Sent) -> Result<(Answer, Answer), String> {
        tokio::try_join!(self.ours.ask(ours), self.other.ask(other))
    }

    /// Waits until both serve a collection.
    async fn serves(&self, path: &str) -> Result<bool, String> {
        for _ in 0..200 {
            let (ours, other) = self.ask(&requests::get(path), &requests::get(path)).await?;
            if (ours.status, other.status) == (200, 200) {
                return Ok(true);
            }
            sleep(Duration::from_millis(25)).await;
        }
        Ok(false)
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let given = arguments()?;
    let server = TestServer::start(Arc::new(Cel::default())).await?;
    let other = fs::read_to_string(&given.kubeconfig)?;
    let pair = Pair { ours: Client::new(&server.kubeconfig()).await?, other: Client::new(&other).await? };
    // Definitions of an earlier run may be on their way out over there.
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut tally = Tally::default();
    let mut shown = 0;
    for case in 0..given.cases {
        let mut random = Random::new(given.seed.wrapping_mul(1_000_003).wrapping_add(case));
        for difference in
            play(&pair, &Case::new(&format!("c{case}-{run:x}"), &mut random), &mut random, &mut tally).await?
        {
            shown += 1;
            if shown <= given.show {
                println!("case {case}: {difference}\n");
            }
        }
    }
    let Tally { requests, succeeded, known, unknown } = tally;
    println!("seed {}: {} definitions, {requests} requests ({succeeded} succeeded)", given.seed, given.cases);
    for (why, count) in known {
        println!("  known: {count} × {why}");
    }
    println!("{unknown} answers differ");
    server.stop().await;
    Ok(if unknown == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A case against both; what differs and is not known.
async fn play(pair: &Pair, case: &Case, random: &mut Random, tally: &mut Tally) -> Result<Vec<Difference>, String> {
    let mut found = Vec::new();
    let define = case.define();
    let (ours, other) = pair.ask(&define, &define).await?;
    note(&define, &ours, &other, tally, &mut found);
    let (ours_made, other_made) = (ours.status == 201, other.status == 201);
    if ours_made && other_made && pair.serves(&case.collection).await? {
        for _ in 0..generate::REQUESTS {
            let Some(step) = case.step(random) else { continue };
            let (ours, other) = step.sent(pair).await?;
            let (first, second) = pair.ask(&ours, &other).await?;
            let differs = note(&ours, &first, &second, tally, &mut found);
            if differs && !step.name.is_empty() {
                // From here on the two would differ in everything: begin anew.
                let gone = requests::delete(&format!("{}/{}", case.collection, step.name));
                pair.ask(&gone, &gone).await?;
            }
        }
    }
    let gone = requests::delete(&case.definition_path());
    pair.ask(&gone, &gone).await?;
    Ok(found)
}

/// Counts an answer; whether it differs in what is not known.
fn note(sent: &Sent, ours: &Answer, other: &Answer, tally: &mut Tally, found: &mut Vec<Difference>) -> bool {
    tally.requests += 1;
    tally.succeeded += u64::from(ours.status < 300);
    let Some(difference) = compare::compare(sent, ours, other) else { return false };
    match known::reason(&difference) {
        Some(why) => *tally.known.entry(why).or_default() += 1,
        None => {
            tally.unknown += 1;
            found.push(difference);
        }
    }
    true
}
