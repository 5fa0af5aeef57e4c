//! Parsing an object, and what it takes in memory.

use std::time::Instant;

use bytes::Bytes;
use kanon_core::Object;

use crate::{median, report};

/// Prints the figures.
pub(crate) fn run(reviews: &[Bytes]) -> anyhow::Result<()> {
    let mut pods = Vec::new();
    for review in reviews {
        let review = Object::parse(review.clone())?;
        let pod = review.at(&["request", "object"]).ok_or_else(|| anyhow::anyhow!("a review without object"))?;
        pods.push(Bytes::from(pod.raw().to_owned()));
    }
    let bytes: usize = pods.iter().map(Bytes::len).sum();
    let parse = || -> anyhow::Result<f64> {
        let started = Instant::now();
        for pod in &pods {
            std::hint::black_box(Object::parse(pod.clone())?);
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / pods.len() as f64)
    };
    let times = (0..21).map(|_| parse()).collect::<Result<Vec<_>, _>>()?;
    let tree = || -> anyhow::Result<f64> {
        let started = Instant::now();
        for pod in &pods {
            std::hint::black_box(serde_json::from_slice::<serde_json::Value>(pod)?);
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / pods.len() as f64)
    };
    let trees = (0..21).map(|_| tree()).collect::<Result<Vec<_>, _>>()?;
    let mean = bytes / pods.len();
    let (parsed, tree) = (median(times), median(trees));
    let what = format!("parse an object of {mean} bytes");
    report(&what, &format!("{parsed:.2} µs"), "15 µs for 8.9 kB", &format!("serde_json tree {tree:.2} µs, same run"));
    let memory: usize = pods.iter().map(|it| Object::parse(it.clone()).map_or(0, |it| it.compact().memory())).sum();
    let ratio = memory as f64 / bytes as f64;
    report("memory of a cached object", &format!("{ratio:.3} × its JSON"), "≤ 1.3 ×", "serde_json tree 11 ×");
    Ok(())
}
