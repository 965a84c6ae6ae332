//! `nearpath watch`: print a line for each query that matches, live.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{DaemonFlags, end_of, harmless, say, short};
use crate::see::api::Sighted;
use crate::see::client::target;

/// Flags of `nearpath watch`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit code: 0 at the end, by --count, by an interrupt or as the daemon leaves; 1 if what it says cannot be read or \
                  printed; 2 if no daemon answers or the question makes no sense."
)]
pub struct WatchFlags {
    /// Only queries of this pod
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub pod: Option<String>,
    /// Only names like this; `*` stands for any characters, `?` for one
    #[arg(long, value_name = "GLOB")]
    pub name: Option<String>,
    /// Only replies with this code, such as NXDOMAIN
    #[arg(long, value_name = "RCODE")]
    pub rcode: Option<String>,
    /// Leave after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// Prints until enough were seen, the daemon leaves, or an interrupt comes. What there was no time to show is told on standard
/// error.
pub fn run(flags: &WatchFlags) -> anyhow::Result<ExitCode> {
    let filter = [("pod", flags.pod.as_deref()), ("name", flags.name.as_deref()), ("rcode", flags.rcode.as_deref())];
    let target = target("/v1/watch", &filter);
    end_of(async {
        let mut events = flags.daemon.client().events(&target).await?;
        let mut seen = 0;
        while let Some(event) = events.next().await? {
            if event.name == "missed" {
                missed(&event.data);
                continue;
            }
            match flags.daemon.json {
                true => say(&event.data)?,
                false => say(&line(&serde_json::from_str(&event.data)?))?,
            }
            seen += 1;
            if flags.count == Some(seen) {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

#[expect(clippy::print_stderr, reason = "it is no query")]
fn missed(count: &str) {
    if count != "0" {
        eprintln!("({} more that match were not shown)", harmless(count));
    }
}

fn line(sighted: &Sighted) -> String {
    let Sighted { at, client, pod, transport, name, rtype, rcode, way, took_s, weight } = sighted;
    let time = at.split_once('T').map_or(at.as_str(), |(_, time)| time).trim_end_matches('Z');
    let who = pod.as_deref().unwrap_or(client);
    let others = if *weight > 1 { format!(" (one of {weight})") } else { String::new() };
    let took = if *took_s > 0.0 { format!(" {}", short(*took_s)) } else { String::new() };
    harmless(&format!("{time} {who} {transport} {name} {rtype} {rcode} {way}{took}{others}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_asked_what_and_what_came_of_it() {
        let sighted = Sighted {
            at: "2026-11-22T03:04:05.678Z".to_owned(),
            client: "10.0.0.7".to_owned(),
            pod: None,
            transport: "udp".to_owned(),
            name: "www.example.com.".to_owned(),
            rtype: "A".to_owned(),
            rcode: "NOERROR".to_owned(),
            way: "hit".to_owned(),
            took_s: 0.0,
            weight: 1,
        };
        assert_eq!(line(&sighted), "03:04:05.678 10.0.0.7 udp www.example.com. A NOERROR hit");
        let other =
            Sighted { pod: Some("shop/web".to_owned()), way: "miss".to_owned(), took_s: 0.0031, weight: 8, ..sighted };
        assert_eq!(line(&other), "03:04:05.678 shop/web udp www.example.com. A NOERROR miss 3.1 ms (one of 8)");
    }
}
