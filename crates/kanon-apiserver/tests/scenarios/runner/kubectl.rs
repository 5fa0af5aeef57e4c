//! kubectl: where it is, and commands of it with a home folder of their own.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{LIMIT, values::unique};

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The kubectl on the path, if there is one.
pub(crate) fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|it| it.join("kubectl")).find(|it| it.exists())
}

/// The kubectl of each minor version that stands beside the one on the path, where that is a dispatcher which follows the
/// version that the server reports: `kubectl.1.27` and so on.
pub(crate) fn by_minor() -> BTreeMap<u32, PathBuf> {
    let real = on_path().and_then(|it| it.canonicalize().ok());
    let files = real.and_then(|it| fs::read_dir(it.parent()?).ok());
    files.into_iter().flatten().flatten().filter_map(|it| Some((minor_of(&it.path())?, it.path()))).collect()
}

fn minor_of(program: &Path) -> Option<u32> {
    program.file_name()?.to_str()?.strip_prefix("kubectl.1.")?.parse().ok()
}

/// A kubectl with a home folder, whose default namespace is the scenario's.
pub(super) struct Kubectl {
    program: PathBuf,
    home: TempDir,
}

/// A command at work. Killed by its id when dropped.
pub(super) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// What a command said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) exit: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Kubectl {
    pub(super) fn new(program: PathBuf, kubeconfig: &str, namespace: &str) -> Result<Kubectl, String> {
        let home = tempfile::tempdir().map_err(|it| it.to_string())?;
        let mut config: Value = serde_saphyr::from_str(kubeconfig).map_err(|it| it.to_string())?;
        for context in config["contexts"].as_array_mut().into_iter().flatten() {
            context["context"]["namespace"] = json!(namespace);
        }
        fs::write(home.path().join("kubeconfig"), config.to_string()).map_err(|it| it.to_string())?;
        Ok(Kubectl { program, home })
    }

    /// Its minor version, where its name says one.
    pub(super) fn minor(&self) -> Option<u32> {
        minor_of(&self.program)
    }

    /// Starts a command.
    pub(super) fn start(
        &self,
        args: &[String],
        input: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Running, String> {
        let home = self.home.path();
        let name = unique();
        let (out, err) = (home.join(format!("{name}.out")), home.join(format!("{name}.err")));
        let open = |path: &Path| File::create(path).map_err(|it| it.to_string());
        let mut child = Command::new(&self.program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("KUBECACHEDIR", home.join("cache"))
            .env("KUBECONFIG", home.join("kubeconfig"))
            .envs(env)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(open(&out)?)
            .stderr(open(&err)?)
            .spawn()
            .map_err(|it| format!("{} does not run: {it}", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads nothing may be gone already.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(Running { child, out, err })
    }
}

impl Running {
    /// What it printed so far.
    pub(super) fn said(&self) -> Said {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        Said { exit: 0, out: read(&self.out), err: read(&self.err) }
    }

    /// Waits for its end.
    pub(super) async fn end(&mut self) -> Result<Said, String> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|it| it.to_string())? {
                return Ok(Said { exit: status.code().unwrap_or(-1), ..self.said() });
            }
            if begin.elapsed() > LIMIT {
                return Err(format!("kubectl hangs: {:?}", self.said()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Arguments as a shell would split them: blanks, single and double quotes.
///
/// # Errors
/// A quote that does not end.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut args = Vec::new();
    let mut current: Option<String> = None;
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                current.get_or_insert_default();
            }
            (None, it) if it.is_whitespace() => args.extend(current.take()),
            _ => current.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote does not end: {text}"));
    }
    args.extend(current);
    Ok(args)
}

#[cfg(test)]
mod tests {
    #[test]
    fn arguments_are_split_as_in_a_shell() {
        let args = super::split(r#"patch cm a -p '{"a": "b c"}' --x="" "#);
        assert_eq!(args.unwrap(), ["patch", "cm", "a", "-p", r#"{"a": "b c"}"#, "--x="]);
        assert!(super::split("a 'b").is_err());
    }
}
