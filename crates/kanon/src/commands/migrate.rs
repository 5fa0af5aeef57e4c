//! `kanon migrate rules`: old rule files in, today's rules out. What is rewritten is decided in `kanon_rules::migrate`; here are
//! folders, and what is said about them.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

use kanon_core::PolicyFile;
use kanon_lang::{LanguageId, Options};
use kanon_rules::migrate::{Layout, migrate};

use crate::{
    cli::migrate::{MigrateArgs, MigrateCommand, MigrateFormat, MigrateRulesArgs},
    exit::{Exit, Failure},
    languages,
    output::print,
};

/// Does what was asked for.
pub(crate) fn run(args: MigrateArgs) -> Result<Exit, Failure> {
    match args.command {
        MigrateCommand::Rules(args) => rules(args),
    }
}

/// `kanon migrate rules`
pub(crate) fn rules(args: MigrateRulesArgs) -> Result<Exit, Failure> {
    let MigrateRulesArgs { folder, format, output, dry_run } = args;
    let files = files(&folder)?;
    let language = languages::all()[&LanguageId::EXPR].clone();
    // Unknown names are nil in rules, so the environment has nothing to say.
    let env = kanon_lang::Environment::default();
    let options = Options { boolean: true, ..Options::default() };
    let compile = |text: &str| language.compile(text, &env, &options).map(|_| ()).map_err(|it| it.to_string());
    let layout = match format {
        MigrateFormat::Cr => Layout::Resources,
        MigrateFormat::Folder => Layout::Folder,
    };
    let result = migrate(&files, layout, &compile);
    let output = output.unwrap_or_else(|| beside(&folder));
    if dry_run {
        let mut text = String::new();
        for (path, content) in &result.files {
            let _ = write!(text, "--- {} ---\n{content}", output.join(path).display());
        }
        print(&text)?;
    } else {
        write_all(&output, &result.files)?;
    }
    let mut said = String::new();
    for note in &result.notes {
        let head = if note.is_error { "error" } else { "warn" };
        let _ = writeln!(said, "{head}: {}: {}", note.place, note.message);
    }
    let errors = result.errors();
    let warnings = result.notes.len() - errors;
    let _ = writeln!(said, "Migrated {} rule files. {warnings} warnings. {errors} errors.", result.migrated);
    let _ = anstream::stderr().write_all(said.as_bytes());
    Ok(if errors > 0 { Exit::Failure } else { Exit::Fine })
}

/// The folder's rule files, in name order.
fn files(folder: &Path) -> Result<Vec<PolicyFile>, Failure> {
    let named =
        |path: &Path, error: std::io::Error| Failure::new(format!("failed to read `{}`: {error}", path.display()));
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<_> =
        entries.map_err(|error| named(folder, error))?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let is_rule_file = |path: &PathBuf| {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        path.is_file() && (extension == "yaml" || extension == "yml")
    };
    let read = |path: PathBuf| {
        let text = std::fs::read(&path).map_err(|error| named(&path, error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(PolicyFile { path: name, text: text.into() })
    };
    paths.into_iter().filter(is_rule_file).map(read).collect()
}

/// `rules/` → `rules-portal`
fn beside(folder: &Path) -> PathBuf {
    match folder.file_name() {
        Some(name) => folder.with_file_name(format!("{}-portal", name.to_string_lossy())),
        // `.` and `..` have no name of their own.
        None => folder.join("portal"),
    }
}

fn write_all(output: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    let named =
        |path: &Path, error: std::io::Error| Failure::new(format!("failed to write `{}`: {error}", path.display()));
    std::fs::create_dir_all(output).map_err(|error| named(output, error))?;
    for (name, text) in files {
        let path = output.join(name);
        std::fs::write(&path, text).map_err(|error| named(&path, error))?;
    }
    Ok(())
}
