//! A way to a server that takes time: passes questions and answers on, UDP and TCP, each late by the same time, and counts the
//! questions.
//!
//! ```text
//!   server under test --question--> [each way] --> authority
//!                     <--answer---- [each way] <--
//! ```
//!
//! A new TCP connection costs a round trip before its first question, as a handshake over such a way would. It runs as a
//! process of its own; for each line on its stdin it tells how many questions came so far.

mod way;

use std::io::{BufRead as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::way::Way;
use crate::child::{Child, Launch};
use crate::options::RelayFlags;
use crate::ports;

/// Questions that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Questions {
    pub(crate) all: u64,
    /// Those below the cluster's zone.
    pub(crate) cluster: u64,
}

/// A running relay, as the run sees it; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    _child: Child,
    ask: ChildStdin,
    told: std::io::BufReader<ChildStdout>,
}

impl Relay {
    /// Starts one on `cores` towards 127.0.0.1:`to`.
    pub(crate) fn start(directory: &Path, cores: &[usize], to: u16, each_way: Duration) -> Result<Self> {
        let port = ports::free()?;
        let number = |number: u128| number.to_string();
        let arguments = [
            "relay".to_owned(),
            "--port".into(),
            number(port.into()),
            "--to".into(),
            number(to.into()),
            "--each-way-ms".into(),
            number(each_way.as_millis()),
        ];
        let log = directory.join(format!("relay-{port}.log"));
        let mut child = Child::start_talking(&Launch::part(arguments)?, cores, &log)?;
        let ask = child.process.stdin.take().context("stdin")?;
        let told = std::io::BufReader::new(child.process.stdout.take().context("stdout")?);
        let mut relay = Self { port, _child: child, ask, told };
        relay.questions().context("the relay does not start")?;
        Ok(relay)
    }

    /// How many questions came since it started.
    pub(crate) fn questions(&mut self) -> Result<Questions> {
        self.ask.write_all(b"\n")?;
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        let (all, cluster) = line.trim().split_once(' ').context("two numbers")?;
        Ok(Questions { all: all.parse()?, cluster: cluster.parse()? })
    }
}

/// The subcommand `relay`: serves until its stdin ends.
pub(crate) fn serve(flags: &RelayFlags) -> Result<()> {
    let way = Way { to: flags.to, each: Duration::from_millis(flags.each_way_ms), counts: Arc::default() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, flags.port))?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, flags.port))?;
    let (streams, datagrams) = (way.clone(), way.clone());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            streams.carry_stream(client);
        }
    });
    thread::spawn(move || datagrams.carry_datagrams(&Arc::new(socket)));
    for line in std::io::stdin().lines() {
        line?;
        let (all, cluster) = (way.counts.all.load(Ordering::Relaxed), way.counts.cluster.load(Ordering::Relaxed));
        let mut out = std::io::stdout();
        writeln!(out, "{all} {cluster}")?;
        out.flush()?;
    }
    Ok(())
}
