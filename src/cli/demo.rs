//! `nearpath demo`: a pod's look-up without and with AutoPath, measured on this machine alone.
//!
//! ```text
//!   Stub (127.0.0.11) --UDP--> Daemon, no autopath --TCP--.
//!        |                                                +--> Centre, 5 ms away, counts
//!        '------------UDP--> Daemon, autopath -----TCP----'
//!
//!   Stage --Course::run--> Figures --render--> text
//! ```
//!
//! No rights, no network, no file left behind: everything listens in 127.0.0.0/8, and the configuration lies in a directory
//! that goes with the demo.

mod centre;
mod corefiles;
mod measure;
mod paint;
mod pods;
mod render;
mod scratch;
mod stub;
mod zones;

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::centre::Centre;
use self::measure::Course;
use self::paint::Paint;
use self::render::{ByHand, Figures};
use self::scratch::Scratch;
use self::stub::Outcome;
use crate::daemon::{self, Daemon};

/// How far away the centre is: what a question costs that leaves its node for a busy one.
const DELAY: Duration = Duration::from_millis(5);
/// Ports that are easy to type, without and with `autopath`.
const PORTS: [u16; 2] = [5300, 5301];
/// Where everything but the pods is.
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// What a shell says of a program that ctrl-c ended.
const INTERRUPTED: u8 = 130;

/// Flags of `demo`.
#[derive(Args, Clone, Debug)]
pub(super) struct DemoFlags {
    /// End after the table instead of staying for questions by hand
    #[arg(long)]
    once: bool,
    /// Show the two Corefiles and the table of pods too
    #[arg(long)]
    corefiles: bool,
}

/// Shows the demo; stays until ctrl-c unless told otherwise.
///
/// # Errors
/// No port, thread or temporary file can be had, the daemon does not start, or a look-up does not find what the centre has.
pub(super) fn run(flags: &DemoFlags) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let mut interrupt = {
        let _inside = runtime.enter();
        Interrupt::listen().context("cannot listen for signals")?
    };
    let stage = Stage::build()?;
    let measured = runtime.block_on(async {
        tokio::select! {
            figures = stage.measure() => Some(figures),
            () = interrupt.wait() => None,
        }
    });
    let Some(figures) = measured else {
        stage.clear();
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let figures = figures.context("the pods cannot ask")?;
    show(&stage, &figures, flags).context("cannot write the figures")?;
    found(&figures)?;
    if !flags.once {
        runtime.block_on(interrupt.wait());
    }
    stage.clear();
    Ok(ExitCode::SUCCESS)
}

/// Everything that runs. Its parts end in this order.
struct Stage {
    plain: Node,
    autopath: Node,
    centre: Centre,
    scratch: Scratch,
}

/// A daemon in front of the pods.
struct Node {
    daemon: Daemon,
    port: u16,
    file: &'static str,
    corefile: String,
}

impl Stage {
    fn build() -> anyhow::Result<Self> {
        let scratch = Scratch::make("nearpath-demo").context("cannot make a temporary directory")?;
        let pods = scratch.write("pods", &pods::table()).context("cannot write the table of pods")?;
        let centre = Centre::start(DELAY).context("cannot start the centre")?;
        let [plain, autopath] = corefiles::free_ports(PORTS)?;
        let node = |file: &'static str, port: u16, pods| {
            let corefile = corefiles::corefile(port, centre.address(), pods);
            scratch.write(file, &corefile).with_context(|| format!("cannot write {file}"))?;
            Node::start(file, port, corefile)
        };
        let plain = node("Corefile.without-autopath", plain, None)?;
        let autopath = node("Corefile.with-autopath", autopath, Some(pods.as_path()))?;
        Ok(Self { plain, autopath, centre, scratch })
    }

    async fn measure(&self) -> io::Result<Figures> {
        Ok(Figures {
            delay: self.centre.delay(),
            plain: Course::run((LOOPBACK, self.plain.port).into(), &self.centre).await?,
            autopath: Course::run((LOOPBACK, self.autopath.port).into(), &self.centre).await?,
        })
    }

    /// Ends it all: the nodes answer what is under way while the centre is still there.
    fn clear(self) {
        self.plain.daemon.stop();
        self.autopath.daemon.stop();
    }
}

impl Node {
    fn start(file: &'static str, port: u16, corefile: String) -> anyhow::Result<Self> {
        const CACHE_BYTES: u64 = 4 << 20;
        let options = daemon::Options {
            dns_port: port,
            threads: 1, // a handful of questions
            cache_bytes: CACHE_BYTES,
            node_name: "demo".to_owned(),
            ..daemon::Options::default()
        };
        let daemon = daemon::start(file, &corefile, &options).with_context(|| format!("cannot serve {file}"))?;
        Ok(Self { daemon, port, file, corefile })
    }
}

fn show(stage: &Stage, figures: &Figures, flags: &DemoFlags) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let paint = Paint::of(&output);
    output.write_all(render::figures(figures, paint).as_bytes())?;
    if flags.corefiles {
        for node in [&stage.plain, &stage.autopath] {
            output.write_all(render::file(node.file, &node.corefile, paint).as_bytes())?;
        }
        output.write_all(render::file("pods", &pods::table(), paint).as_bytes())?;
    }
    if !flags.once {
        let by_hand = ByHand { plain: stage.plain.port, autopath: stage.autopath.port, files: stage.scratch.path() };
        output.write_all(render::by_hand(by_hand, paint).as_bytes())?;
    }
    output.flush()
}

/// The demo doubles as a test of the installation: what the centre has must have been found.
fn found(figures: &Figures) -> anyhow::Result<()> {
    for (which, course) in [("without", &figures.plain), ("with", &figures.autopath)] {
        for measured in [&course.first, &course.again, &course.neighbour] {
            let outcome = measured.lookup.outcome();
            anyhow::ensure!(
                matches!(outcome, Outcome::Found { .. }),
                "{which} AutoPath {} was not found ({outcome:?}), though the centre has it",
                zones::OUTSIDE
            );
        }
    }
    Ok(())
}

/// Ctrl-c, or an order to end.
struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// From now on neither ends the process by itself. Needs a runtime around it.
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
