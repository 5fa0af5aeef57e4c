//! A Markdown table, for comments on changes and for job summaries.

use super::Report;

pub(super) fn document(report: &Report) -> String {
    let mut text = format!("**kanon check**: {}\n", report.summary());
    if report.findings.is_empty() {
        return text;
    }
    text += "\n| place | subject | rule | outcome | message |\n|---|---|---|---|---|\n";
    for it in &report.findings {
        let part = if it.part.is_empty() { String::new() } else { format!(" (container {})", code(&it.part)) };
        let cells =
            [code(&it.place()), escape(&it.subject) + &part, code(&it.policy), it.word.to_owned(), escape(&it.text())];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Text that keeps to its cell and is no markup.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for it in text.chars() {
        match it {
            '\n' | '\r' => out.push(' '),
            '<' => out += "&lt;",
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' => out.extend(['\\', it]),
            _ => out.push(it),
        }
    }
    out
}

/// Text in the type of code; a backtick or a bar in it would end it.
fn code(text: &str) -> String {
    if text.contains(['`', '|', '\n', '\r']) { escape(text) } else { format!("`{text}`") }
}
