//! Figures that the pure middle keeps and shells show: counters and gauges with labels, under their documented names.
//!
//! One [`Figures`] is shared by the families of a process and its metrics endpoint. Nothing decides by what stands in it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
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

/// All figures of a process.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<Figure, Series>>);

impl Figures {
    /// Adds to a figure; labels without a value have the empty one.
    pub fn add(&self, figure: Figure, labels: &[&str], by: i64) {
        self.change(figure, labels, |value| value.saturating_add(by));
    }

    /// Sets a figure. A gauge that is set to 0 is forgotten, so that labels of what is gone do not pile up.
    pub fn set(&self, figure: Figure, labels: &[&str], value: i64) {
        self.change(figure, labels, |_| value);
    }

    /// Everything, in order of names.
    pub fn read(&self) -> Vec<(Figure, Series)> {
        self.lock().iter().map(|(figure, series)| (*figure, series.clone())).collect()
    }

    /// One value; 0 where nothing was noted.
    pub fn value(&self, figure: Figure, labels: &[&str]) -> i64 {
        let labels: Vec<_> = labels.iter().map(|it| (*it).to_owned()).collect();
        self.lock().get(&figure).and_then(|it| it.get(&labels)).copied().unwrap_or_default()
    }

    fn change(&self, figure: Figure, labels: &[&str], next: impl FnOnce(i64) -> i64) {
        let mut labels: Vec<_> = labels.iter().map(|it| (*it).to_owned()).collect();
        labels.resize(figure.labels.len(), String::new());
        let mut figures = self.lock();
        let series = figures.entry(figure).or_default();
        let value = next(series.get(&labels).copied().unwrap_or_default());
        if value == 0 && figure.kind == FigureKind::Gauge && !labels.is_empty() {
            series.remove(&labels);
        } else {
            series.insert(labels, value);
        }
    }

    /// A panic elsewhere leaves a number as good as before.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Figure, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
}
