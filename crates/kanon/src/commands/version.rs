//! `kanon version`

use serde_json::json;

use crate::{
    cli::VersionArgs,
    exit::{Exit, Failure},
    output::{Format, print, print_data},
};

/// Prints the version of the program and of the Kubernetes API that it serves.
pub(crate) fn run(args: VersionArgs) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match args.output {
        Format::Table => print(&format!("kanon {version}\n"))?,
        Format::Json | Format::Yaml => print_data(args.output, &json!({"version": version}))?,
    }
    Ok(Exit::Fine)
}
