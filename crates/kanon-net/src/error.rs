//! What can go wrong with certificates, files and listening.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why certificates, TLS settings or a listener could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of certificates or keys could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of certificates or keys could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Text that should be PEM certificates or a key is not.
    #[error("{what} cannot be used: {problem}")]
    Pem {
        /// Which material.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A certificate could not be made.
    #[error("cannot issue a certificate for `{subject}`: {problem}")]
    Issue {
        /// Its common name.
        subject: String,
        /// What is wrong.
        problem: String,
    },
    /// TLS settings that do not go together.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// Nobody can listen at the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said, such as `Address already in use`.
        source: io::Error,
    },
}
