//! `kanon backup` and `kanon restore`: the data folder of `kanon up` in one file, and back.
//!
//! A running server is asked for its objects over its API, as the administrator of the folder's kubeconfig; the keys beside them are
//! read from the folder in either case. The decision log is a record and not part of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Seek, Write},
    path::{Path, PathBuf},
};

use kanon_apiserver::backup::{
    BackupError, BackupItem, BackupReader, BackupSummary, BackupWriter, Compressed, PATH, of_folder, restore,
};
use kanon_kube::{Api, Source};

use crate::{
    cli::{BackupArgs, RestoreArgs},
    exit::{Exit, Failure},
    output::print,
    paths::DataDir,
    runtime,
};

/// Files and folders beside the store that make a server the same for its clients.
const KEPT: [&str; 3] = ["ca", "token.key", "webhook-ca"];

/// Writes a backup.
pub(crate) fn run(args: &BackupArgs) -> Result<Exit, Failure> {
    let data_dir = DataDir::resolve(args.data_dir.clone())?;
    if args.file.exists() && !args.force {
        return Err(Failure::usage(format!("`{}` is there already: --force replaces it", args.file.display())));
    }
    let mut name = args.file.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let written = write(&data_dir, &part).and_then(|summary| {
        fs::rename(&part, &args.file)
            .map_err(|error| Failure::new(format!("failed to write `{}`: {error}", args.file.display())))?;
        Ok(summary)
    });
    let summary = match written {
        Ok(summary) => summary,
        Err(failure) => {
            // Nothing half written stays; it may not have been begun.
            let _ = fs::remove_file(&part);
            return Err(failure);
        }
    };
    print(&format!(
        "{}: {} objects and {} files, {} bytes\n",
        args.file.display(),
        summary.objects,
        summary.files,
        summary.bytes
    ))?;
    Ok(Exit::Fine)
}

fn write(data_dir: &DataDir, path: &Path) -> Result<BackupSummary, Failure> {
    let files = kept(data_dir.root())?;
    let out = private(path)?;
    let written = of_folder(data_dir.root(), &files, jiff::Timestamp::now(), Compressed::new(&out));
    let (compressed, summary) = match written {
        Err(BackupError::InUse(_)) => online(data_dir, &files, &out)?,
        other => other?,
    };
    compressed.finish()?;
    out.sync_all()?;
    Ok(BackupSummary { bytes: out.metadata()?.len(), ..summary })
}

/// Asks the running server. What it sends is checked before a line of it is used.
fn online<'o>(
    data_dir: &DataDir,
    files: &[PathBuf],
    out: &'o File,
) -> Result<(Compressed<&'o File>, BackupSummary), Failure> {
    let runtime = runtime()?;
    let mut received = tempfile::tempfile()?;
    runtime.block_on(async {
        let api = Api::connect(&Source::File(data_dir.kubeconfig())).await?;
        let mut sink = BufWriter::new(&received);
        api.download(PATH, &mut sink).await?;
        sink.flush()?;
        Ok::<_, Failure>(())
    })?;
    received.rewind()?;
    let reader = BackupReader::new(BufReader::new(&received))?;
    let mut writer = BackupWriter::new(Compressed::new(out), reader.header())?;
    for item in reader {
        if let BackupItem::Object(key, object) = item? {
            writer.object(&key, &object)?;
        }
    }
    for file in files {
        writer.file_of(data_dir.root(), file)?;
    }
    Ok(writer.finish()?)
}

/// The files to keep, as paths in the folder, in order.
fn kept(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut left: Vec<PathBuf> = KEPT.iter().rev().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let there = root.join(&path);
        if there.is_file() {
            files.push(path);
        } else if there.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(&there)?.collect();
            let mut names: Vec<PathBuf> = entries?.iter().map(|it| path.join(it.file_name())).collect();
            names.sort_by(|a, b| b.cmp(a));
            left.extend(names);
        }
    }
    Ok(files)
}

/// A new file that only its owner can read.
fn private(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| Failure::new(format!("failed to write `{}`: {error}", path.display())))
}

/// Makes a folder out of a backup.
pub(crate) fn run_restore(args: &RestoreArgs) -> Result<Exit, Failure> {
    let data_dir = DataDir::resolve(args.data_dir.clone())?;
    let root = data_dir.root();
    let unreadable = |error| Failure::new(format!("failed to read `{}`: {error}", args.file.display()));
    let reader = BackupReader::new(BufReader::new(File::open(&args.file).map_err(unreadable)?))?;
    let is_empty = !root.exists() || fs::read_dir(root)?.next().is_none();
    if !is_empty && !args.force {
        return Err(Failure::usage(format!("`{}` is not empty: --force puts its store aside", root.display())));
    }
    let restored = restore(root, reader, args.bump_revision)?;
    print(&format!(
        "{}: {} objects and {} files; versions go on from {}\n",
        root.display(),
        restored.objects,
        restored.files,
        restored.revision
    ))?;
    Ok(Exit::Fine)
}
