//! `nearpath cleanup`: takes interface, addresses and rules from the node, as an uninstall needs it.

use std::process::ExitCode;

use clap::{ArgAction, Args};

use super::node::{boolean, interface_name};
use crate::node::keeper;

/// Flags of `cleanup`.
#[derive(Args, Debug)]
pub struct CleanupFlags {
    /// The interface; rules bear its name too
    #[arg(long, value_name = "NAME", value_parser = interface_name, default_value = "nodelocaldns", env = "NEARPATH_INTERFACENAME")]
    interfacename: String,
    /// Remove it although an instance serves the node, which then puts it back
    #[arg(long, value_name = "BOOL", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    force: bool,
}

/// Removes what there is, and says what it was.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub fn run(flags: &CleanupFlags) -> anyhow::Result<ExitCode> {
    let removed = keeper::clean_up(&flags.interfacename, flags.force)?;
    match removed.as_slice() {
        [] => println!("nothing of {} was on this node", flags.interfacename),
        removed => println!("removed from this node: {}", removed.join(", ")),
    }
    Ok(ExitCode::SUCCESS)
}
