//! `kanon log`: read and prove the decision log. Works while `kanon up` is running.

use kanon_runtime::log::{Entry, entries, verify};
use serde_json::{Value, json};

use crate::{
    cli::{LogArgs, LogCommand},
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
    paths::DataDir,
};

/// Runs the verb.
pub(crate) fn run(args: LogArgs) -> Result<Exit, Failure> {
    let dir = DataDir::resolve(args.data_dir)?.log();
    if !dir.is_dir() {
        return Err(Failure::new(format!("there is no decision log in `{}`", dir.display())));
    }
    match args.command {
        LogCommand::Verify => {
            let report = verify(&dir)?;
            let (records, segments, dropped) = (report.records, report.segments, report.dropped);
            let head = report.end.hash();
            match args.output {
                Format::Table => {
                    let mut text = format!("ok: {records} records in {segments} segments hold; head {head}\n");
                    if dropped > 0 {
                        text += &format!("{dropped} older records were dropped by retention\n");
                    }
                    if report.torn > 0 {
                        text += &format!("{} bytes at the end are an unfinished record\n", report.torn);
                    }
                    print(&text)?;
                }
                Format::Json | Format::Yaml => {
                    let data = json!({"records": records, "segments": segments, "dropped": dropped, "head": head,
                        "unfinishedBytes": report.torn});
                    print_data(args.output, &data)?;
                }
            }
        }
        LogCommand::Show { last, all } => {
            let mut found = entries(&dir, |it| all || it.record["kind"] == "decision")?;
            let from = if last == 0 { 0 } else { found.len().saturating_sub(last) };
            found.drain(..from);
            show(&found, args.output)?;
        }
    }
    Ok(Exit::Fine)
}

fn show(found: &[Entry], output: Format) -> Result<(), Failure> {
    if output != Format::Table {
        let data = found.iter().map(|it| json!({"seq": it.seq, "id": it.id, "record": it.record})).collect();
        return print_data(output, &data);
    }
    let rows: Vec<_> = found.iter().map(row).collect();
    print(&table(&["ID", "TIME", "POLICY", "OUTCOME", "SUBJECT", "MESSAGE"], &rows))
}

fn row(entry: &Entry) -> Vec<String> {
    let record = &entry.record;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let subject = &record["subject"];
    let place = [&subject["namespace"], &subject["name"]].map(text);
    let place: Vec<_> = place.into_iter().filter(|it| !it.is_empty()).collect();
    let kind = text(&record["kind"]);
    let decision = kind == "decision";
    vec![
        entry.id.clone(),
        text(&record["now"]["wall"]),
        if decision { text(&record["policy"]["name"]) } else { kind },
        text(&record["outcome"]),
        format!("{} {}", text(&subject["kind"]), place.join("/")).trim().to_owned(),
        text(&record["message"]),
    ]
}
