//! The flag that confines the process to some namespaces: what it may do there is all that it needs to be allowed.

use clap::Args;

use crate::exit::Failure;

/// Which namespaces.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rights in some namespaces alone")]
pub(crate) struct WithinArgs {
    /// Namespace to look after, and no others: rules are read, objects watched, reports and Events written there alone, and rights in it
    /// are enough; repeatable
    #[arg(long = "watch-namespace", value_name = "NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    names: Vec<String>,
}

impl WithinArgs {
    /// The namespaces, each once; none where all are looked after.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let mut names: Vec<_> = self.names.iter().filter(|it| !it.is_empty()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Refuses what rights in single namespaces cannot do: `asked` are flags, whether they are given, and what they need.
    pub(crate) fn check(&self, asked: &[(&str, bool, &str)]) -> Result<(), Failure> {
        let beyond = asked.iter().find(|it| it.1).filter(|_| !self.namespaces().is_empty());
        match beyond {
            Some((flag, _, need)) => Err(Failure::usage(format!("{flag} cannot be with --watch-namespace: it {need}"))),
            None => Ok(()),
        }
    }
}

/// A namespace's name, or nothing.
fn namespace(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_name = text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
    if is_name && text.len() <= 63 { Ok(text.to_owned()) } else { Err(format!("`{text}` is no name of a namespace")) }
}
