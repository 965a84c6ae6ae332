//! dnsperf: many questions at once, over UDP, TCP or TLS, and what it says of the answers.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::bench::Bench;
use crate::child::Launch;
use crate::message::Reply;
use crate::seat::Seat;

/// Sockets of one of its threads, at most: it has no more itself.
const CLIENTS_PER_THREAD: usize = 250;
/// A lost question is waited for this long, seconds.
const PATIENCE: &str = "3";

/// What it is told.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// `udp`, `tcp` or `dot`.
    pub(crate) mode: &'static str,
    pub(crate) port: u16,
    pub(crate) from: &'static str,
    pub(crate) queries: PathBuf,
    /// Clients, each with a socket of its own.
    pub(crate) clients: usize,
    /// Questions outstanding, of all clients together.
    pub(crate) outstanding: usize,
    /// It ends after so many seconds, or
    pub(crate) seconds: Option<f64>,
    /// after so many runs through the queries.
    pub(crate) runs: Option<usize>,
}

impl Load {
    /// Eight clients with 100 questions outstanding, fewer than the smallest receive buffer holds, for the time of a
    /// measurement.
    pub(crate) fn hits(bench: &Bench, seat: &Seat) -> Self {
        Self {
            mode: "udp",
            port: seat.setup.port,
            from: "127.0.0.1",
            queries: bench.names(),
            clients: 8,
            outstanding: 100,
            seconds: Some(bench.seconds()),
            runs: None,
        }
    }

    /// The same load, once through the queries.
    pub(crate) fn once(&self) -> Self {
        Self { seconds: None, runs: Some(1), ..self.clone() }
    }

    /// Runs it; how many answers came. An error if one was wrong or lost.
    pub(crate) fn run(&self, bench: &Bench) -> Result<u64> {
        let tally = self.tally(bench)?;
        tally.demand_right_answers()?;
        ensure!(tally.lost == 0, "{} of {} questions lost", tally.lost, tally.sent);
        Ok(tally.completed)
    }

    fn tally(&self, bench: &Bench) -> Result<Tally> {
        let output = Launch::new("dnsperf", self.arguments())
            .pinned(&bench.cores.load)?
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .context("starting dnsperf")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Tally::parse(&text).with_context(|| format!("dnsperf says: {}", text.trim()))
    }

    fn arguments(&self) -> Vec<String> {
        let threads = self.clients.div_ceil(CLIENTS_PER_THREAD);
        let mut arguments: Vec<String> = ["-s", "127.0.0.1", "-t", PATIENCE, "-a", self.from, "-m", self.mode]
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut say = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        say("-p", self.port.to_string());
        say("-d", self.queries.display().to_string());
        say("-c", self.clients.to_string());
        say("-q", self.outstanding.to_string());
        say("-T", threads.to_string());
        if let Some(seconds) = self.seconds {
            say("-l", seconds.to_string());
        }
        if let Some(runs) = self.runs {
            say("-n", runs.to_string());
        }
        arguments
    }
}

/// Asks for the same names until all have their answers in memory: servers may lose some of the first questions.
pub(crate) fn warm(bench: &Bench, load: &Load) -> Result<()> {
    let mut trouble = None;
    for _ in 0..3 {
        match load.once().run(bench) {
            Ok(_) => return Ok(()),
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.expect("there was an attempt").context("warming up"))
}

/// An error unless the server answers `name`, asked from `from`, with records; what it says.
pub(crate) fn probe(seat: &Seat, from: &str, name: &str) -> Result<Reply> {
    let mut client =
        crate::message::Client::new(from.parse()?, seat.setup.port, std::time::Duration::from_millis(2_000))?;
    let reply = client.ask(name)?.expect_noerror()?;
    ensure!(reply.answers > 0, "a wrong answer: {name} without records");
    Ok(reply)
}

/// What dnsperf counted.
#[derive(Clone, PartialEq, Debug)]
struct Tally {
    sent: u64,
    completed: u64,
    lost: u64,
    /// RCODE and how often it came.
    codes: Vec<(String, u64)>,
}

impl Tally {
    fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':'));
        let number = |key: &str| field(key)?.split_whitespace().next()?.parse().ok();
        let codes = field("Response codes").unwrap_or_default();
        let codes = codes.split(',').filter_map(|code| {
            let mut words = code.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        });
        Some(Self {
            sent: number("Queries sent")?,
            completed: number("Queries completed")?,
            lost: number("Queries lost")?,
            codes: codes.collect(),
        })
    }

    fn demand_right_answers(&self) -> Result<()> {
        let right: u64 = self.codes.iter().filter(|(code, _)| code == "NOERROR").map(|(_, count)| count).sum();
        ensure!(right == self.completed, "wrong answers: {:?}", self.codes);
        ensure!(self.completed > 0, "no answers");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
DNS Performance Testing Tool
Version 2.10.0

[Status] Command line: dnsperf -s 127.0.0.1
[Status] Sending queries (to 127.0.0.1:1053)
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         12345
  Queries completed:    12344 (99.99%)
  Queries lost:         1 (0.01%)

  Response codes:       NOERROR 12300 (99.64%), SERVFAIL 44 (0.36%)
  Average packet size:  request 31, response 47
  Run time (s):         1.000123
  Queries per second:   12342.481875

  Average Latency (s):  0.000789 (min 0.000045, max 0.012345)
  Latency StdDev (s):   0.000100
";

    #[test]
    fn what_dnsperf_says_is_understood() {
        let tally = Tally::parse(SAID).unwrap();
        assert_eq!((tally.sent, tally.completed, tally.lost), (12_345, 12_344, 1));
        assert_eq!(tally.codes, [("NOERROR".to_owned(), 12_300), ("SERVFAIL".to_owned(), 44)]);
        assert_eq!(Tally::parse("Error: unable to parse"), None);
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let mut tally = Tally::parse(SAID).unwrap();
        assert!(tally.demand_right_answers().is_err());
        tally.codes = vec![("NOERROR".to_owned(), tally.completed)];
        assert!(tally.demand_right_answers().is_ok());
        tally.codes.clear();
        assert!(tally.demand_right_answers().is_err(), "answers without a code are none");
    }

    #[test]
    fn many_clients_are_spread_over_threads() {
        let load = Load {
            mode: "udp",
            port: 1_053,
            from: "127.0.0.1",
            queries: "q".into(),
            clients: 1_000,
            outstanding: 1_000,
            seconds: Some(1.5),
            runs: None,
        };
        let said = load.arguments().join(" ");
        assert!(said.contains("-c 1000 -q 1000 -T 4 -l 1.5"), "{said}");
        assert!(load.once().arguments().join(" ").ends_with("-n 1"));
    }
}
