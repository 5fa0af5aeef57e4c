//! `kanon fmt`: policy texts in their language's canonical layout.
//!
//! Files are rewritten, and only after the new text was read back: a layout that its own parser refuses, or would lay out in
//! yet another way, never reaches a file.

use std::path::{Path, PathBuf};

use crate::{
    cli::{FmtArgs, Lang},
    commands::texts::{Text, is_stdin, language_of},
    exit::{Exit, Failure},
    output::print,
    report,
};

/// Formats what was named.
pub(crate) fn run(args: FmtArgs) -> Result<Exit, Failure> {
    let mut files = Vec::new();
    for path in &args.files {
        collect(path, args.lang, &mut files)?;
    }
    let mut to_rewrite = 0;
    // Mistakes in one file do not keep the others from being looked at.
    let mut problems = Vec::new();
    for path in &files {
        match format_one(path, &args) {
            Ok(is_changed) => to_rewrite += usize::from(is_changed),
            Err(failure) if failure.exit == Exit::Usage => return Err(failure),
            Err(failure) => problems.push(failure.into_report("kanon")),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::report(Exit::Failure, problems.join("\n")));
    }
    Ok(if args.check && to_rewrite > 0 { Exit::Findings } else { Exit::Fine })
}

/// A file itself, or all policy texts below a folder, in the order of their names.
fn collect(path: &Path, lang: Option<Lang>, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if is_stdin(path) || !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let named = |error| Failure::new(format!("failed to read `{}`: {error}", path.display()));
    let entries = std::fs::read_dir(path).map_err(named)?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(named)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let below = entry.path();
        // Links are not followed: they may lead in a circle.
        if entry.file_type().map_err(named)?.is_dir() {
            collect(&below, lang, files)?;
        } else if language_of(&below).is_some_and(|it| lang.is_none_or(|wanted| wanted == it)) {
            files.push(below);
        }
    }
    Ok(())
}

/// Whether the file is in another layout than the canonical one.
fn format_one(path: &Path, args: &FmtArgs) -> Result<bool, Failure> {
    let Text { place, source, language } = Text::read_file(path, args.lang)?;
    let formatted = language.format(&source).map_err(|it| report::compile_failure(&place, &it))?;
    if language.format(&formatted).as_ref() != Ok(&formatted) {
        return Err(Failure::new(format!(
            "`{place}` has no stable layout and is left as it is; please report this text"
        )));
    }
    let formatted = format!("{}\n", formatted.trim_end_matches('\n'));
    if is_stdin(path) {
        if !args.check {
            print(&formatted)?;
        }
        return Ok(formatted.trim_end() != source.trim_end());
    }
    let old = std::fs::read_to_string(path)?;
    if old == formatted {
        return Ok(false);
    }
    if !args.check {
        std::fs::write(path, formatted).map_err(|error| Failure::new(format!("failed to write `{place}`: {error}")))?;
    }
    print(&format!("{place}\n"))?;
    Ok(true)
}
