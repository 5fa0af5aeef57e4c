//! How a command ends: named exit codes, and failures with one clear sentence.

use std::{fmt, process::ExitCode};

/// The exit codes of every command. Stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All went as asked.
    Fine = 0,
    /// Something failed: a server, a file, an expected outcome that did not come.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Policies found something.
    Findings = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// One sentence: what failed, and what to do where that can be said.
    pub(crate) message: String,
    /// Whether the message is a report that stands for itself: lines with carets instead of a sentence.
    pub(crate) is_report: bool,
}

impl Failure {
    /// Something failed while doing as asked.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Failure, message: message.into(), is_report: false }
    }

    /// Mistakes in a text, rendered.
    pub(crate) fn report(exit: Exit, report: String) -> Failure {
        Failure { exit, message: report, is_report: true }
    }

    /// The failure as lines that stand for themselves.
    pub(crate) fn into_report(self, program: &str) -> String {
        if self.is_report { self.message } else { format!("{program}: {}\n", self.message) }
    }

    /// The command line asks for something that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into(), is_report: false }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

/// Any error of a lower crate, as the failure of a command: its message and its causes on one line.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(it) = cause {
            let text = it.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = it.source();
        }
        Failure::new(message)
    }
}
