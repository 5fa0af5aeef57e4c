//! `portal docgen`: the reference of the original's command line as Markdown, made from the definitions, so that it is the same
//! whenever they are.

use std::{fmt::Write, path::Path};

use clap::{Arg, Command, CommandFactory};

use crate::{
    cli::portal::{DocgenArgs, PortalCli},
    exit::{Exit, Failure},
    output::print,
};

/// Writes the reference.
pub(super) fn run(args: &DocgenArgs) -> Result<Exit, Failure> {
    let named =
        |path: &Path, error: std::io::Error| Failure::new(format!("failed to write `{}`: {error}", path.display()));
    let pages = pages();
    match (&args.dir, &args.out) {
        (Some(folder), _) => {
            std::fs::create_dir_all(folder).map_err(|error| named(folder, error))?;
            for (name, text) in pages {
                let path = folder.join(format!("{}.md", name.replace(' ', "_")));
                std::fs::write(&path, text).map_err(|error| named(&path, error))?;
            }
        }
        (None, out) => {
            let text = pages.into_iter().map(|it| it.1).collect::<Vec<_>>().join("\n");
            match out {
                Some(path) => std::fs::write(path, text).map_err(|error| named(path, error))?,
                None => print(&text)?,
            }
        }
    }
    Ok(Exit::Fine)
}

/// A page for the command, then one for each verb in order of name.
fn pages() -> Vec<(String, String)> {
    let mut root = PortalCli::command();
    root.build();
    let mut pages = vec![page(&root)];
    let mut verbs: Vec<_> = root.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help").collect();
    verbs.sort_by_key(|it| it.get_name().to_owned());
    pages.extend(verbs.into_iter().map(page));
    pages
}

fn page(command: &Command) -> (String, String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!("## {name}\n\n{about}\n\n```\n{usage}\n```\n");
    let mut verbs: Vec<_> = command.get_subcommands().filter(|it| !it.is_hide_set()).collect();
    verbs.sort_by_key(|it| it.get_name().to_owned());
    if !verbs.is_empty() {
        text += "\n| verb | |\n|---|---|\n";
        for verb in verbs {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "| `{}` | {} |", verb.get_name(), cell(&about));
        }
    }
    let is_shown = |it: &&Arg| !it.is_hide_set();
    let mut args: Vec<_> = command.get_positionals().filter(is_shown).map(|it| (it.to_string(), row(it))).collect();
    let mut flags: Vec<_> = command.get_arguments().filter(is_shown).filter(|it| !it.is_positional()).collect();
    flags.sort_by_key(|it| it.get_long().unwrap_or_default().to_owned());
    args.extend(flags.into_iter().map(|it| (spelling(it), row(it))));
    text += "\n| argument | default | |\n|---|---|---|\n";
    for (spelling, (default, help)) in args {
        let _ = writeln!(text, "| `{}` | {default} | {} |", spelling.replace('|', "\\|"), cell(&help));
    }
    (name, text)
}

/// `-o, --output <OUTPUT>`
fn spelling(flag: &Arg) -> String {
    let short = flag.get_short().map(|it| format!("-{it}, ")).unwrap_or_default();
    let long = flag.get_long().map(|it| format!("--{it}")).unwrap_or_default();
    let takes = flag.get_action().takes_values();
    let names = flag.get_value_names().unwrap_or_default().iter().map(|it| format!("<{it}>"));
    let value = if takes { format!(" {}", names.collect::<Vec<_>>().join(" ")) } else { String::new() };
    format!("{short}{long}{value}")
}

fn row(arg: &Arg) -> (String, String) {
    let default: Vec<_> = arg.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let default = default.join(" ");
    let takes = arg.get_action().takes_values();
    let default = if takes && !default.is_empty() && !arg.is_hide_default_value_set() {
        format!("`{default}`")
    } else {
        String::new()
    };
    (default, arg.get_help().map(ToString::to_string).unwrap_or_default())
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
