//! Building the document that policies read: from text, into memory, beside a tree.

use std::hint::black_box;

use bytes::Bytes;
use kanon_core::Object;

use super::{
    inputs::Inputs,
    report::{Bar, Report, Row},
    stopwatch::Side,
};

/// Prints the rows.
pub(crate) fn run(report: &mut Report, inputs: &Inputs) -> anyhow::Result<()> {
    report.heading("Building the document (Go: json.Unmarshal)");
    let text = inputs.pod.text();
    // Bytes as they come from a connection: shared, not copied.
    let shared = Bytes::copy_from_slice(text);
    let sides = vec![
        Side::new("kanon", || Object::parse(shared.clone()).is_ok()),
        Side::new("the same, its text copied first", || Object::parse(text.to_vec()).is_ok()),
        Side::new("kept in a cache: exact allocations", || Object::parse(shared.clone()).map(|it| it.compact())),
        Side::new("serde_json tree", || serde_json::from_slice::<serde_json::Value>(text).is_ok()),
    ];
    let name = format!("pod of {} bytes", text.len());
    let bars = vec![Bar::AtMost(15e3), Bar::Allocations(2.0)];
    report.row(Row { name, sides, go: Some((107e3, 1237.0)), bars });
    let kept = Object::parse(shared.clone())?.compact();
    let ratio = kept.memory() as f64 / text.len() as f64;
    report.line("its memory when cached", &format!("{ratio:.3} × its text"), Some(("≤ 1.3 ×", ratio <= 1.3)));
    for (name, object) in [("gate", &inputs.gate), ("signal", &inputs.signal)] {
        let shared = Bytes::copy_from_slice(object.text());
        let sides = vec![Side::new("kanon", || black_box(Object::parse(shared.clone())).is_ok())];
        let name = format!("{name} of {} bytes", shared.len());
        report.row(Row { name, sides, go: None, bars: Vec::new() });
    }
    Ok(())
}
