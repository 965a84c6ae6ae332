//! `nearpath man`: print the manual page, with a part for each subcommand.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man;

use super::daemon::{end_of, say};

/// Flags of `nearpath man`.
#[derive(Args, Clone, Debug)]
pub struct ManFlags {}

/// Print the manual page.
pub fn run(_flags: &ManFlags) -> anyhow::Result<ExitCode> {
    let text = page()?;
    end_of(async { say(text.trim_end()).map(|()| ExitCode::SUCCESS).map_err(Into::into) })
}

fn page() -> anyhow::Result<String> {
    let mut command = super::command();
    command.build();
    let mut page = rendered(command.clone())?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        page.push_str(&part(subcommand)?);
    }
    Ok(page)
}

fn rendered(command: Command) -> anyhow::Result<String> {
    let mut out = Vec::new();
    Man::new(command).render(&mut out)?;
    Ok(String::from_utf8(out)?)
}

/// A subcommand's own page as a part of the whole: its name is the heading, its headings go one level down, and what a page
/// begins with is left out.
fn part(subcommand: &Command) -> anyhow::Result<String> {
    let name = subcommand.get_name().to_owned();
    let called = format!("nearpath {name}");
    let whole = rendered(subcommand.clone().display_name(called.clone()).bin_name(called))?;
    let mut part = format!(".SH \"NEARPATH {}\"\n", name.to_uppercase());
    let begun = whole.lines().skip_while(|line| !line.starts_with(".SH"));
    for line in begun {
        match line.strip_prefix(".SH ") {
            Some("NAME") => {}
            Some(heading) => part.push_str(&format!(".SS {heading}\n")),
            None => part.push_str(&format!("{line}\n")),
        }
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_tells_of_every_subcommand_and_flag() {
        let page = page().unwrap();
        assert_eq!(page.matches("\n.TH ").count(), 1, "one page");
        let mut command = super::super::command();
        command.build();
        for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
            assert!(page.contains(&format!(".SH \"NEARPATH {}\"", subcommand.get_name().to_uppercase())));
            let shown = subcommand.get_arguments().filter(|argument| !argument.is_hide_set());
            for long in shown.filter_map(clap::Arg::get_long) {
                assert!(page.contains(&long.replace('-', "\\-")), "{} --{long}", subcommand.get_name());
            }
        }
    }
}
