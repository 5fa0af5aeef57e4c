//! `kanon policy replay`: what rules would have said to requests that were recorded, beside what became of them then.

use std::sync::Arc;

use kanon_core::{Outcome, Review};
use kanon_plane::Views;
use kanon_rules::{RulesView, Sources};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::{recording, rules, world};
use crate::{
    cli::policy::ReplayArgs,
    commands::check::Others,
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
};

/// One request, and what becomes of it.
struct Replayed {
    place: String,
    review: Review,
    /// Whether it was let through then, where the recording says so.
    was_allowed: Option<bool>,
    outcome: Outcome,
    /// Why it would be refused, or what is said with it.
    texts: Vec<String>,
}

impl Replayed {
    fn is_denied(&self) -> bool {
        self.outcome == Outcome::Deny
    }

    /// Whether it would be refused though it was not then, as far as is known.
    fn is_newly_denied(&self) -> bool {
        self.is_denied() && self.was_allowed != Some(false)
    }

    fn was(&self) -> &'static str {
        match self.was_allowed {
            Some(true) => "allowed",
            Some(false) => "denied",
            None => "-",
        }
    }
}

/// Replays every request; ends with 3 when one would newly be denied.
pub(crate) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let files = rules::files(&args.rules)?;
    let rules = rules::must_compile(&Sources { files: &files, ..Sources::default() }, &args.shapes.shapes())?;
    if rules.is_empty() {
        return Err(Failure::new("there is no rule in what --rules names"));
    }
    let views = Views::new(vec![Arc::new(RulesView::new(rules))]);
    let mut others = Others::default();
    for manifest in world::manifests(&args.fixtures)? {
        others.add_object(&manifest.object);
    }
    let mut replayed = Vec::new();
    for path in &args.recordings {
        for it in recording::read(path)? {
            let answer = views.review(&it.review, &others, now);
            let mut texts: Vec<String> = answer
                .reviewed
                .iter()
                .flat_map(|it| &it.1.verdicts)
                .map(|it| format!("{}: {}", it.policy.name, it.message))
                .collect();
            texts.dedup();
            let recording::Recorded { place, review, was_allowed } = it;
            replayed.push(Replayed { place, review, was_allowed, outcome: answer.outcome, texts });
        }
    }
    show(&replayed, args)?;
    Ok(if replayed.iter().any(Replayed::is_newly_denied) { Exit::Findings } else { Exit::Fine })
}

fn show(replayed: &[Replayed], args: &ReplayArgs) -> Result<(), Failure> {
    let denied = replayed.iter().filter(|it| it.is_denied()).count();
    let newly = replayed.iter().filter(|it| it.is_newly_denied()).count();
    let passes = replayed.iter().filter(|it| it.was_allowed == Some(false) && !it.is_denied()).count();
    let is_shown = |it: &&Replayed| args.all || !it.texts.is_empty() || it.was_allowed == Some(false);
    let shown: Vec<_> = replayed.iter().filter(is_shown).collect();
    if args.output != Format::Table {
        let row = |it: &&Replayed| {
            json!({"place": it.place, "uid": it.review.uid, "operation": it.review.operation,
                "subject": it.review.subject().to_string(), "user": it.review.user.username, "was": it.was(),
                "outcome": it.outcome, "messages": it.texts})
        };
        let requests: Vec<Value> = shown.iter().map(row).collect();
        return print_data(
            args.output,
            &json!({"requests": replayed.len(), "denied": denied, "newlyDenied": newly, "newlyAllowed": passes,
                "shown": requests}),
        );
    }
    let row = |it: &&Replayed| {
        let outcome = it.outcome.as_str().to_owned();
        let subject = it.review.subject().to_string();
        let cells = [it.place.clone(), it.review.operation.to_string(), subject, it.review.user.username.clone()];
        let more = [it.was().to_owned(), outcome, it.texts.join("; ")];
        cells.into_iter().chain(more).collect()
    };
    if !shown.is_empty() {
        let columns = ["PLACE", "OPERATION", "SUBJECT", "USER", "WAS", "NOW", "MESSAGE"];
        print(&table(&columns, &shown.iter().map(row).collect::<Vec<_>>()))?;
    }
    let requests = replayed.len();
    print(&format!("{requests} requests, {denied} denied, {newly} of them newly; {passes} denied then and not now\n"))
}
