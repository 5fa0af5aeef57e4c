//! Figures that the pure middle keeps and shells show: counters, gauges and histograms with labels, under their documented names.
//!
//! One [`Figures`] is shared by the families of a process and its metrics endpoint. Nothing decides by what stands in it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FigureKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A figure's name and meaning: a constant of the crate that keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// Its whole name, as dashboards ask for it.
    pub name: &'static str,
    /// What it does over time.
    pub kind: FigureKind,
    /// One line of help.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
}

/// The values of one figure, by the values of its labels.
pub type Series = BTreeMap<Vec<String>, i64>;

/// How long something takes: its name, meaning and buckets, a constant of the crate that keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Histogram {
    /// Its whole name, as dashboards ask for it.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// The upper bounds of its buckets, rising; a last one without bound is understood.
    pub bounds: &'static [Duration],
}

/// What one series of a histogram has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many times fell into each bucket and into none before it; the last bucket has no bound.
    pub counts: Vec<u64>,
    /// All times together.
    pub sum: Duration,
}

/// The series of one histogram, by the values of its labels.
pub type Spreads = BTreeMap<Vec<String>, Spread>;

/// All figures of a process.
#[derive(Debug, Default)]
pub struct Figures {
    values: Mutex<BTreeMap<Figure, Series>>,
    times: Mutex<BTreeMap<Histogram, Spreads>>,
}

impl Figures {
    /// Adds to a figure; labels without a value have the empty one.
    pub fn add(&self, figure: Figure, labels: &[&str], by: i64) {
        self.change(figure, labels, |value| value.saturating_add(by));
    }

    /// Sets a figure. A gauge that is set to 0 is forgotten, so that labels of what is gone do not pile up.
    pub fn set(&self, figure: Figure, labels: &[&str], value: i64) {
        self.change(figure, labels, |_| value);
    }

    /// Notes a time; labels without a value have the empty one.
    pub fn observe(&self, histogram: Histogram, labels: &[&str], took: Duration) {
        let labels = whole(labels, histogram.labels);
        let mut times = lock(&self.times);
        let spread = times.entry(histogram).or_default().entry(labels).or_default();
        spread.counts.resize(histogram.bounds.len() + 1, 0);
        let bucket = histogram.bounds.partition_point(|it| *it < took);
        if let Some(count) = spread.counts.get_mut(bucket) {
            *count += 1;
        }
        spread.sum = spread.sum.saturating_add(took);
    }

    /// All histograms, in order of names.
    pub fn read_times(&self) -> Vec<(Histogram, Spreads)> {
        lock(&self.times).iter().map(|(histogram, spreads)| (*histogram, spreads.clone())).collect()
    }

    /// All counters and gauges, in order of names.
    pub fn read(&self) -> Vec<(Figure, Series)> {
        lock(&self.values).iter().map(|(figure, series)| (*figure, series.clone())).collect()
    }

    /// One value; 0 where nothing was noted.
    pub fn value(&self, figure: Figure, labels: &[&str]) -> i64 {
        let labels: Vec<_> = labels.iter().map(|it| (*it).to_owned()).collect();
        lock(&self.values).get(&figure).and_then(|it| it.get(&labels)).copied().unwrap_or_default()
    }

    fn change(&self, figure: Figure, labels: &[&str], next: impl FnOnce(i64) -> i64) {
        let labels = whole(labels, figure.labels);
        let mut figures = lock(&self.values);
        let series = figures.entry(figure).or_default();
        let value = next(series.get(&labels).copied().unwrap_or_default());
        if value == 0 && figure.kind == FigureKind::Gauge && !labels.is_empty() {
            series.remove(&labels);
        } else {
            series.insert(labels, value);
        }
    }
}

/// One value a label.
fn whole(values: &[&str], labels: &[&str]) -> Vec<String> {
    let mut whole: Vec<_> = values.iter().map(|it| (*it).to_owned()).collect();
    whole.resize(labels.len(), String::new());
    whole
}

/// A panic elsewhere leaves a number as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Figure =
        Figure { name: "done_total", kind: FigureKind::Counter, help: "Done", labels: &["action", "result"] };
    const OPEN: Figure = Figure { name: "open", kind: FigureKind::Gauge, help: "Open", labels: &["rule"] };

    #[test]
    fn counters_grow_and_gauges_of_nothing_are_forgotten() {
        let figures = Figures::default();
        figures.add(DONE, &["label", "ok"], 1);
        figures.add(DONE, &["label", "ok"], 2);
        figures.set(OPEN, &["a"], 3);
        assert_eq!(figures.value(DONE, &["label", "ok"]), 3);
        figures.add(OPEN, &["a"], -3);
        let read = figures.read();
        assert_eq!(read[0], (DONE, Series::from([(vec!["label".into(), "ok".into()], 3)])));
        assert_eq!(read[1], (OPEN, Series::new()));
    }

    #[test]
    fn a_time_falls_into_the_first_bucket_that_holds_it() {
        const TOOK: Histogram = Histogram {
            name: "took_seconds",
            help: "Took",
            labels: &["rule", "mode"],
            bounds: &[Duration::from_millis(1), Duration::from_millis(10)],
        };
        let figures = Figures::default();
        for millis in [0, 1, 2, 10, 11, 500] {
            figures.observe(TOOK, &["a"], Duration::from_millis(millis));
        }
        let spread = Spread { counts: vec![2, 2, 2], sum: Duration::from_millis(524) };
        assert_eq!(figures.read_times(), [(TOOK, Spreads::from([(vec!["a".into(), String::new()], spread)]))]);
    }
}
