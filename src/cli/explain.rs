//! `nearpath explain`: say why a name gets the answer that it gets, for a pod or for everybody.

mod alone;
mod render;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::daemon::{DaemonFlags, NO_ANSWER, end_of, say};
use crate::see::api::Explained;
use crate::see::client::target;
use crate::see::door::{Wanted, Wish};

/// Flags of `nearpath explain`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit code: 0 if the name is answered, 1 if it does not exist, fails or is refused, 2 if nobody can be asked or the question \
                  makes no sense."
)]
pub struct ExplainFlags {
    /// The name, as a program would say it; with a dot at its end nobody searches
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The record type
    #[arg(value_name = "TYPE", default_value = "A")]
    pub rtype: String,
    /// As this pod of the node would ask
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with_all = ["ip", "search"])]
    pub pod: Option<String>,
    /// As whoever has this address would ask
    #[arg(long, value_name = "IP", conflicts_with = "search")]
    pub ip: Option<String>,
    /// As somebody with these search domains would ask
    #[arg(long, value_name = "DOMAIN,..")]
    pub search: Option<String>,
    /// Names with fewer dots are searched (with --search) [default: 5]
    #[arg(long, value_name = "N", requires = "search")]
    pub ndots: Option<String>,
    /// As a client that wants signatures would ask (DO), for which nobody searches
    #[arg(long)]
    pub dnssec: bool,
    /// Ask no daemon: work from this Corefile, without memory and without its watches
    #[arg(long, value_name = "FILE")]
    pub conf: Option<PathBuf>,
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// The Corefile that is looked for where no daemon answers and none is named.
const USUAL: &str = "Corefile";

/// Exit code as the help says: NOERROR is 0, any other RCODE 1.
pub fn run(flags: &ExplainFlags) -> anyhow::Result<ExitCode> {
    let (target, wish) = match wish(flags) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(refused(&error)),
    };
    if let Some(conf) = &flags.conf {
        return from_corefile(conf.clone(), &wish, flags);
    }
    let usual = PathBuf::from(USUAL);
    if !flags.daemon.socket().exists() && usual.exists() {
        note(&format!("no daemon at {}; working from ./{USUAL}", flags.daemon.socket().display()));
        return from_corefile(usual, &wish, flags);
    }
    end_of(async {
        let explained: Explained = flags.daemon.client().ask(&target).await?;
        tell(&explained, flags)
    })
}

/// What the door is asked, read once here too: what is wrong with it is then told without a daemon.
fn wish(flags: &ExplainFlags) -> Result<(String, Wish), String> {
    let target = target(
        "/v1/explain",
        &[
            ("name", Some(&flags.name)),
            ("type", Some(&flags.rtype)),
            ("pod", flags.pod.as_deref()),
            ("ip", flags.ip.as_deref()),
            ("search", flags.search.as_deref()),
            ("ndots", flags.ndots.as_deref()),
            ("dnssec", flags.dnssec.then_some("true")),
        ],
    );
    let (path, query) = target.split_once('?').expect("a name is always given");
    match Wanted::read(path, Some(query)) {
        Some(Ok(Wanted::Explain(wish))) => Ok((target.clone(), wish)),
        Some(Err(malformed)) => Err(malformed.0),
        _ => unreachable!("the path is explain's"),
    }
}

fn from_corefile(conf: PathBuf, wish: &Wish, flags: &ExplainFlags) -> anyhow::Result<ExitCode> {
    match alone::explained(&conf, wish) {
        Ok(explained) => end_of(async { tell(&explained, flags) }),
        Err(error) => Ok(refused(&format!("{error:#}"))),
    }
}

fn tell(explained: &Explained, flags: &ExplainFlags) -> anyhow::Result<ExitCode> {
    match flags.daemon.json {
        true => say(&serde_json::to_string_pretty(explained)?)?,
        false => say(render::text(&flags.name, explained).trim_end())?,
    }
    Ok(ExitCode::from(u8::from(explained.reply.rcode != "NOERROR")))
}

fn refused(error: &str) -> ExitCode {
    note(&format!("nearpath: {error}"));
    ExitCode::from(NO_ANSWER)
}

#[expect(clippy::print_stderr, reason = "what is no part of the answer")]
fn note(text: &str) {
    eprintln!("{text}");
}
