//! A server in its place: configured, started, pinned, and answering.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::{Bench, Found};
use crate::certificate::Certificate;
use crate::child::Child;
use crate::message::Client;
use crate::peers::{Setup, Shape};
use crate::ports;
use crate::record::Record;

/// How long a server may take until its first answer.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Ports are let go before they are taken, so somebody else may have them: another attempt finds others.
const ATTEMPTS: usize = 3;

/// How a row wants a server.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// What the row calls it.
    pub(crate) label: String,
    pub(crate) found: Found,
    pub(crate) shape: Shape,
    pub(crate) threads: usize,
    /// Names that its cache has room for, at least.
    pub(crate) names: usize,
    /// The port that it forwards to.
    pub(crate) upstream: u16,
    pub(crate) certificate: Option<Certificate>,
}

impl Wish {
    /// A server with one thread, room for 10,000 names and a cache before its forwarding.
    pub(crate) fn plain(bench: &Bench, found: &Found) -> Self {
        Self {
            label: found.peer.name.to_owned(),
            found: found.clone(),
            shape: Shape::Plain,
            threads: 1,
            names: 10_000,
            upstream: bench.authority.port,
            certificate: None,
        }
    }

    /// The same by another name.
    pub(crate) fn called(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with other directives.
    pub(crate) fn shaped(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }
}

/// A running server; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) wish: Wish,
    pub(crate) setup: Setup,
    pub(crate) child: Child,
    /// From its start to its first answer.
    pub(crate) first_answer: Duration,
}

impl Seat {
    /// Starts the server and waits for its first answer.
    pub(crate) fn take(bench: &Bench, wish: Wish) -> Result<Self> {
        let mut trouble = None;
        for _ in 0..ATTEMPTS {
            match Self::attempt(bench, &wish) {
                Ok((setup, child, first_answer)) => return Ok(Self { wish, setup, child, first_answer }),
                Err(error) => trouble = Some(error.context(format!("{} does not start", wish.label))),
            }
        }
        Err(trouble.expect("there was an attempt"))
    }

    /// Starts it anew if it has ended.
    pub(crate) fn revive(&mut self, bench: &Bench) -> Result<()> {
        if !self.child.is_alive() {
            let (setup, child, first_answer) = Self::attempt(bench, &self.wish)?;
            (self.setup, self.child, self.first_answer) = (setup, child, first_answer);
        }
        Ok(())
    }

    /// Its name in the row.
    pub(crate) fn label(&self) -> String {
        self.wish.label.clone()
    }

    fn attempt(bench: &Bench, wish: &Wish) -> Result<(Setup, Child, Duration)> {
        let setup = Setup {
            directory: fresh_directory(bench, &wish.label)?,
            port: ports::free()?,
            tls_port: ports::free()?,
            extra_port: ports::free()?,
            upstream: wish.upstream,
            threads: wish.threads,
            names: wish.names,
            certificate: wish.certificate.clone(),
            shape: wish.shape.clone(),
        };
        let launch = (wish.found.peer.configure)(&wish.found.program, &setup)?;
        let cores = if wish.threads > 1 { &bench.cores.pair } else { &bench.cores.server };
        let mut client = Client::new([127, 0, 0, 1].into(), setup.port, Duration::from_millis(500))?;
        let begun = Instant::now();
        let mut child = Child::start(&launch, cores, &setup.directory.join("log"))?;
        while !client.ask("first.example").is_ok_and(|reply| reply.rcode == 0) {
            if !child.is_alive() || begun.elapsed() > START_WITHIN {
                bail!("{}", child.last_words());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok((setup, child, begun.elapsed()))
    }
}

/// Servers of several wishes, running beside each other. One that does not start is void in the row; the others go on.
pub(crate) fn take_all(bench: &Bench, record: &mut Record, wishes: impl IntoIterator<Item = Wish>) -> Vec<Seat> {
    let mut seats = Vec::new();
    for wish in wishes {
        let label = wish.label.clone();
        match Seat::take(bench, wish) {
            Ok(seat) => seats.push(seat),
            Err(error) => record.void(&label, &error),
        }
    }
    seats
}

fn fresh_directory(bench: &Bench, label: &str) -> Result<PathBuf> {
    let plain: String = label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    for number in 0.. {
        let path = bench.directory().join(format!("{plain}-{number}"));
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => return Ok(other.map(|()| path)?),
        }
    }
    unreachable!("numbers do not end")
}
