//! The table: a row for each piece of work, with what others take for it and the bars it has to meet.

use super::stopwatch::{Figure, Side, Windows, measure};

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// Nanoseconds of the fastest window.
    AtMost(f64),
    /// So many times faster than the Go original.
    TimesGo(f64),
    /// Blocks taken from the heap.
    Allocations(f64),
}

/// A piece of work to measure.
pub(crate) struct Row<'a> {
    /// What it is.
    pub(crate) name: String,
    /// Kanon's side first, then peers in the same run.
    pub(crate) sides: Vec<Side<'a>>,
    /// Nanoseconds and allocations of the Go original's best mode (spec/languages §6), on another machine like this one.
    pub(crate) go: Option<(f64, f64)>,
    /// What Kanon's side has to reach.
    pub(crate) bars: Vec<Bar>,
}

/// The table so far.
pub(crate) struct Report {
    windows: Windows,
    met: usize,
    missed: Vec<String>,
}

impl Report {
    /// An empty table.
    pub(crate) fn new(windows: Windows) -> Report {
        Report { windows, met: 0, missed: Vec::new() }
    }

    /// How long and how often to measure.
    pub(crate) fn windows(&self) -> Windows {
        self.windows
    }

    /// Begins a group of rows.
    pub(crate) fn heading(&self, text: &str) {
        println!("\n{text}");
    }

    /// A line of explanation.
    pub(crate) fn note(&self, text: &str) {
        println!("  {text}");
    }

    /// Measures a row and prints it; gives the figures of its sides.
    pub(crate) fn row(&mut self, row: Row<'_>) -> Vec<Figure> {
        let Row { name, mut sides, go, bars } = row;
        let figures = measure(&mut sides, self.windows);
        let Some(own) = figures.first().copied() else { return figures };
        let mut line = format!("  {name:<44} {}", shown(own));
        if let Some((time, blocks)) = go {
            let times = time / own.min;
            line += &format!("  Go {:>9} / {blocks:<5} {times:>5.1} ×", duration(time));
        }
        print!("{line}");
        for bar in bars {
            match bar {
                Bar::AtMost(most) => self.bar(&name, &format!("≤ {}", duration(most).trim()), own.min <= most),
                Bar::TimesGo(least) => {
                    let met = go.is_some_and(|(time, _)| time / own.min >= least);
                    self.bar(&name, &format!("≥ {least} × Go"), met);
                }
                Bar::Allocations(most) => {
                    if let Some(blocks) = own.allocations {
                        self.bar(&name, &format!("≤ {most} allocations"), blocks <= most);
                    }
                }
            }
        }
        println!();
        for (side, figure) in sides.iter().zip(&figures).skip(1) {
            let name = format!("  {}", side.name);
            println!("  {name:<44} {}  {:.2} × the time", shown(*figure), figure.min / own.min);
        }
        figures
    }

    /// Says whether a bar is met, at the end of the current line.
    pub(crate) fn bar(&mut self, row: &str, bar: &str, met: bool) {
        print!("  [{bar}: {}]", if met { "met" } else { "MISSED" });
        if met {
            self.met += 1;
        } else {
            self.missed.push(format!("{}: {bar}", row.trim()));
        }
    }

    /// A line with a figure of another kind and its bar.
    pub(crate) fn line(&mut self, name: &str, measured: &str, bar: Option<(&str, bool)>) {
        print!("  {name:<44} {measured}");
        if let Some((bar, met)) = bar {
            self.bar(name, bar, met);
        }
        println!();
    }

    /// The sum.
    pub(crate) fn finish(self) {
        println!("\n{} bars met, {} missed", self.met, self.missed.len());
        for missed in self.missed {
            println!("  missed: {missed}");
        }
    }
}

fn shown(figure: Figure) -> String {
    let blocks = figure.allocations.map_or_else(String::new, |it| format!(" / {it:<5}"));
    format!("{:>9} (median {:>9}){blocks}", duration(figure.min), duration(figure.median))
}

/// Nanoseconds in the unit that reads best.
pub(crate) fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        it if it < 1e3 => format!("{it:.1} ns"),
        it if it < 1e6 => format!("{:.2} µs", it / 1e3),
        it => format!("{:.2} ms", it / 1e6),
    }
}
