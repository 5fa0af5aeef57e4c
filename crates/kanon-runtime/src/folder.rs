//! The policy folder: read whole, watched for changes, and read again when its content differs.
//!
//! A mounted ConfigMap changes by swapping a `..data` link and never touches the files themselves; so any event
//! in the folder, and a poll every ten seconds besides, leads to a fresh look at the content (spec/rules 1.8).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use kanon_core::{Digest, PolicyFile};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Changes within this time are taken together.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// How often the folder is read without an event.
const POLL: Duration = Duration::from_secs(10);
/// Larger files are no rules (an object in the API may have 3 MiB).
const FILE_LEN_MAX: u64 = 3 << 20;

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the policy folder `{path}`: {source}")]
pub struct FolderError {
    /// The folder or the file in it.
    pub path: PathBuf,
    /// What the file system said.
    pub source: std::io::Error,
}

/// All policy files directly inside `folder`, in order of name: regular files ending in `.yaml`, `.yml` or `.rego`, any case.
///
/// # Errors
/// A folder that is missing or unreadable. A single file that cannot be read is left out with a log line.
pub fn read_folder(folder: &Path) -> Result<Vec<PolicyFile>, FolderError> {
    let failed = |source| FolderError { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        // Follows links: files of a mounted ConfigMap are links.
        let Ok(meta) = fs::metadata(&path) else { continue };
        if !matches!(extension.as_str(), "yaml" | "yml" | "rego") || !meta.is_file() {
            continue;
        }
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        if meta.len() > FILE_LEN_MAX {
            tracing::warn!(file = name, "policy file is larger than 3 MiB and was left out");
            continue;
        }
        match fs::read(&path) {
            Ok(text) => files.push(PolicyFile { path: name, text: text.into() }),
            Err(error) => tracing::warn!(file = name, %error, "policy file could not be read and was left out"),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Sends the folder's files whenever their content differs from `known`, until cancelled.
///
/// # Errors
/// When the folder cannot be watched at all.
pub async fn watch_folder(
    folder: PathBuf,
    known: &[PolicyFile],
    send: mpsc::Sender<Vec<PolicyFile>>,
    stop: CancellationToken,
) -> Result<(), FolderError> {
    let (wake, mut events) = mpsc::channel(1);
    let notify = move |_| {
        let _ = wake.try_send(());
    };
    let failed = |error: notify::Error| FolderError { path: folder.clone(), source: std::io::Error::other(error) };
    let mut watcher = notify::recommended_watcher(notify).map_err(failed)?;
    watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(failed)?;
    let mut last = digest(known);
    loop {
        // First a look: the folder may have changed between its first reading and the start of the watch.
        match read_folder(&folder) {
            Ok(files) if digest(&files) != last => {
                last = digest(&files);
                if send.send(files).await.is_err() {
                    return Ok(());
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the last good policies stay in force"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(()) = events.recv() => tokio::time::sleep(DEBOUNCE).await,
            () = tokio::time::sleep(POLL) => {}
        }
        let _ = events.try_recv();
    }
}

fn digest(files: &[PolicyFile]) -> Digest {
    let lengths: Vec<_> = files.iter().map(|it| format!("\0{}\0{}\0", it.path, it.text.len())).collect();
    let parts: Vec<&[u8]> = files.iter().zip(&lengths).flat_map(|(it, len)| [len.as_bytes(), &it.text]).collect();
    Digest::of(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[PolicyFile]) -> Vec<&str> {
        files.iter().map(|it| it.path.as_str()).collect()
    }

    #[test]
    fn only_policy_files_directly_inside_are_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "A.YML", "policy.rego", "notes.txt", ".hidden"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        fs::create_dir(dir.path().join("sub.yaml")).unwrap();
        assert_eq!(names(&read_folder(dir.path()).unwrap()), ["A.YML", "b.yaml", "policy.rego"]);
        assert!(read_folder(&dir.path().join("absent")).is_err());
    }

    #[tokio::test]
    async fn a_swapped_config_map_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let version = |name: &str, text: &str| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("rule.yaml"), text).unwrap();
        };
        version("..v1", "one");
        std::os::unix::fs::symlink("..v1", dir.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/rule.yaml", dir.path().join("rule.yaml")).unwrap();
        let known = read_folder(dir.path()).unwrap();
        let (send, mut changes) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (folder, stop, known) = (dir.path().to_owned(), stop.clone(), known.clone());
            async move { watch_folder(folder, &known, send, stop).await }
        });
        version("..v2", "two");
        std::os::unix::fs::symlink("..v2", dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        let files = changes.recv().await.unwrap();
        assert_eq!((names(&files), &files[0].text[..]), (vec!["rule.yaml"], &b"two"[..]));
        stop.cancel();
        task.await.unwrap().unwrap();
    }
}
