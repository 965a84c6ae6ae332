//! `nearpath top`: show live what is asked, by whom, and who answers.
//!
//! ```text
//!   daemon --each second--> Overview, Top --Rates::between--> Frame --screen--> terminal, or text with --once
//! ```

mod rates;
mod screen;
mod terminal;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::daemon::{DaemonFlags, NO_ANSWER, end_of, say};
use crate::see::api::{Overview, Top};
use crate::see::client::{AskError, Client};
use rates::Rates;

/// Flags of `nearpath top`.
#[derive(Args, Clone, Debug)]
pub struct TopFlags {
    /// Print one frame, of one second, and leave
    #[arg(long)]
    pub once: bool,
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);
/// A terminal as everybody has it, columns and lines.
const USUAL: (u16, u16) = (80, 24);

/// What one screen shows.
#[derive(Clone, Debug, Serialize)]
struct Frame {
    rates: Rates,
    overview: Overview,
    top: Top,
}

/// Shows until `q` or an interrupt ends it. With `-json` each look is a line, without a screen.
pub fn run(flags: &TopFlags) -> anyhow::Result<ExitCode> {
    let client = flags.daemon.client();
    if flags.once || flags.daemon.json {
        return end_of(printed(flags, &client));
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Ok(without_terminal());
    }
    end_of(terminal::shown(&client))
}

#[expect(clippy::print_stderr, reason = "it is no frame")]
fn without_terminal() -> ExitCode {
    eprintln!(
        "nearpath: `top` draws on a terminal, and this is none; --once prints one frame, --json a line each second"
    );
    ExitCode::from(NO_ANSWER)
}

async fn printed(flags: &TopFlags, client: &Client) -> anyhow::Result<ExitCode> {
    let mut before = look(client).await?;
    loop {
        tokio::time::sleep(EVERY).await;
        let now = look(client).await?;
        let frame = Frame::between(&before, &now);
        match flags.daemon.json {
            true => say(&serde_json::to_string(&frame)?)?,
            false => say(screen::text(&frame, USUAL).trim_end())?,
        }
        if flags.once {
            return Ok(ExitCode::SUCCESS);
        }
        before = now;
    }
}

async fn look(client: &Client) -> Result<(Overview, Top), AskError> {
    Ok((client.ask("/v1/overview").await?, client.ask("/v1/top").await?))
}

impl Frame {
    fn between((before, _): &(Overview, Top), (overview, top): &(Overview, Top)) -> Self {
        Self { rates: Rates::between(before, overview), overview: overview.clone(), top: top.clone() }
    }
}
