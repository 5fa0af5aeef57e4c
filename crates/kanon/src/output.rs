//! What commands print: tables for people, JSON and YAML for machines.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};

use crate::exit::Failure;

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; may change.
    #[default]
    Table,
    /// For machines; stable.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Writes to standard output. A reader that went away ends the command quietly, as it does for every pipe.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Prints a value in a machine's format.
pub(crate) fn print_data(format: Format, data: &serde_json::Value) -> Result<(), Failure> {
    match format {
        Format::Yaml => print(&to_yaml(data)?),
        Format::Json | Format::Table => print(&format!("{data:#}\n")),
    }
}

/// A value as YAML.
pub(crate) fn to_yaml(data: &serde_json::Value) -> Result<String, Failure> {
    serde_saphyr::to_string(data).map_err(|error| Failure::new(format!("the answer is no YAML: {error}")))
}

/// A table as kubectl prints them: columns apart by three blanks, no lines. On a terminal long cells wrap.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if !columns.is_empty() {
        table.set_header(columns);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
