//! The policy folder: read whole, watched for changes, and read again when its content differs.
//!
//! A mounted ConfigMap changes by swapping a `..data` link and never touches the files themselves; so any event
//! in the folder, and a poll every ten seconds besides, leads to a fresh look at the content (spec/rules 1.8).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use kanon_core::{Digest, PolicyFile, UnreadableFile};
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
#[error("failed to read the folder `{path}`: {source}")]
pub struct FolderError {
    /// The folder or the file in it.
    pub path: PathBuf,
    /// What the file system said.
    pub source: std::io::Error,
}

/// Which files of a folder are meant: regular files whose names do not begin with a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// Those ending in `.yaml`, `.yml` or `.rego`, in any case.
    Policies,
    /// All.
    Everything,
}

impl Meant {
    fn takes(self, path: &Path) -> bool {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_hidden = path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
        !is_hidden && (self == Meant::Everything || matches!(extension.as_str(), "yaml" | "yml" | "rego"))
    }
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its files, in order of name.
    pub files: Vec<PolicyFile>,
    /// Those that are there and cannot be read.
    pub unreadable: Vec<UnreadableFile>,
}

/// All policy files directly inside `folder` that are meant.
///
/// # Errors
/// A folder that is missing or unreadable. A single file that cannot be read is named.
pub fn read_folder(folder: &Path, meant: Meant) -> Result<Content, FolderError> {
    let failed = |source| FolderError { path: folder.to_owned(), source };
    let mut content = Content::default();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !meant.takes(&path) {
            continue;
        }
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        match read_file(&path) {
            Ok(Some(text)) => content.files.push(PolicyFile { path: name, text: text.into() }),
            Ok(None) => {}
            Err(problem) => content.unreadable.push(UnreadableFile { path: name, problem }),
        }
    }
    content.files.sort_by(|a, b| a.path.cmp(&b.path));
    content.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(content)
}

/// A file's content; `None` where it is no file, or is gone meanwhile.
fn read_file(path: &Path) -> Result<Option<Vec<u8>>, String> {
    // Follows links: files of a mounted ConfigMap are links.
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(_) if fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if !meta.is_file() {
        return Ok(None);
    }
    if meta.len() > FILE_LEN_MAX {
        return Err("is larger than 3 MiB".to_owned());
    }
    fs::read(path).map(Some).map_err(|error| format!("cannot be read: {error}"))
}

/// Sends the folder's files whenever their content differs from `known`, until cancelled.
///
/// # Errors
/// When the folder cannot be watched at all.
pub async fn watch_folder(
    folder: PathBuf,
    meant: Meant,
    known: &Content,
    send: mpsc::Sender<Content>,
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
        match read_folder(&folder, meant) {
            Ok(content) if digest(&content) != last => {
                last = digest(&content);
                for file in &content.unreadable {
                    tracing::warn!(file = file.path, "policy file {}", file.problem);
                }
                if send.send(content).await.is_err() {
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

fn digest(content: &Content) -> Digest {
    let files = content.files.iter().map(|it| (&it.path, &it.text[..]));
    let all: Vec<_> = files.chain(content.unreadable.iter().map(|it| (&it.path, it.problem.as_bytes()))).collect();
    let lengths: Vec<_> = all.iter().map(|(path, text)| format!("\0{path}\0{}\0", text.len())).collect();
    let parts: Vec<&[u8]> = all.iter().zip(&lengths).flat_map(|((_, text), len)| [len.as_bytes(), *text]).collect();
    Digest::of(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(content: &Content) -> Vec<&str> {
        content.files.iter().map(|it| it.path.as_str()).collect()
    }

    #[test]
    fn only_policy_files_directly_inside_are_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "A.YML", "policy.rego", "notes.txt", ".hidden"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        fs::create_dir(dir.path().join("sub.yaml")).unwrap();
        assert_eq!(names(&read_folder(dir.path(), Meant::Policies).unwrap()), ["A.YML", "b.yaml", "policy.rego"]);
        let all = read_folder(dir.path(), Meant::Everything).unwrap();
        assert_eq!(names(&all), ["A.YML", "b.yaml", "notes.txt", "policy.rego"]);
        assert!(read_folder(&dir.path().join("absent"), Meant::Policies).is_err());
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
        let known = read_folder(dir.path(), Meant::Policies).unwrap();
        let (send, mut changes) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (folder, stop, known) = (dir.path().to_owned(), stop.clone(), known.clone());
            async move { watch_folder(folder, Meant::Policies, &known, send, stop).await }
        });
        version("..v2", "two");
        std::os::unix::fs::symlink("..v2", dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        let content = changes.recv().await.unwrap();
        assert_eq!((names(&content), &content.files[0].text[..]), (vec!["rule.yaml"], &b"two"[..]));
        // A link to nothing is a file that cannot be read.
        std::os::unix::fs::symlink("..v3", dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        let content = changes.recv().await.unwrap();
        assert!(content.files.is_empty() && content.unreadable[0].path == "rule.yaml", "{content:?}");
        stop.cancel();
        task.await.unwrap().unwrap();
    }
}
