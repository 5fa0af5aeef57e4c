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
        let mut names = self.names.clone();
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

/// A namespace's name. Nothing is none: whoever left a variable empty must not look after everything.
fn namespace(text: &str) -> Result<String, String> {
    let is_name = text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
    match text {
        "" => Err("it is empty: name a namespace, or leave the flag out to look after all of them".to_owned()),
        _ if is_name && text.len() <= 63 => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no name of a namespace")),
    }
}
