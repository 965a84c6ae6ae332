//! `nearpath completions`: print completions for a shell.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::daemon::{end_of, say};

/// Flags of `nearpath completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsFlags {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Spoken,
}

/// Shells that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // their names
pub enum Spoken {
    Bash,
    Zsh,
    Fish,
}

/// Print completions for a shell.
pub fn run(flags: &CompletionsFlags) -> anyhow::Result<ExitCode> {
    let text = script(flags.shell)?;
    end_of(async { say(text.trim_end()).map(|()| ExitCode::SUCCESS).map_err(Into::into) })
}

fn script(shell: Spoken) -> anyhow::Result<String> {
    let shell = match shell {
        Spoken::Bash => Shell::Bash,
        Spoken::Zsh => Shell::Zsh,
        Spoken::Fish => Shell::Fish,
    };
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "nearpath", &mut out);
    Ok(String::from_utf8(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_is_completed_in_every_shell() {
        for shell in [Spoken::Bash, Spoken::Zsh, Spoken::Fish] {
            let script = script(shell).unwrap();
            for subcommand in super::super::command().get_subcommands() {
                assert!(script.contains(subcommand.get_name()), "{shell:?}: {}", subcommand.get_name());
            }
        }
    }
}
