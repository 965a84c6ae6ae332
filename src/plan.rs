//! What a Corefile asks for, checked and not yet begun: no file of a plugin is open, no socket bound.
//!
//! ```text
//!   text --parse--> syntax tree --wiring's table--> Plan --assemble--> Assembly --bind--> running daemon
//!                       '------------ Report: every error and warning, with its place
//! ```

use std::cell::RefCell;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use contract::Spec;
use contract::corefile::{self, Block, Corefile, Host, Key, Report, Statement};
use contract::wire::Name;

use crate::wiring;

/// What came of checking a text.
pub struct Checked {
    /// Errors and warnings.
    pub report: Report,
    /// What was written, imports and snippets resolved.
    pub tree: Corefile,
    /// Present if there is no error.
    pub plan: Option<Plan>,
    /// Tells one state of all the files that were read from another.
    pub digest: u64,
    /// The SHA-512 of all texts that were read, in hexadecimal: the same on every node that serves the same.
    pub version: String,
}

/// A daemon to be.
#[derive(Debug, Default)]
pub struct Plan {
    /// The server blocks as the file has them.
    pub blocks: Vec<BlockPlan>,
}

/// A server block to be. A directive that is not written is absent.
#[derive(Debug, Default)]
pub struct BlockPlan {
    /// What it answers for, and where.
    pub keys: Vec<Key>,
    /// The zones of its keys.
    pub zones: Vec<Name>,
    /// The directives that stand in it, in query order.
    pub directives: Vec<&'static str>,
    /// The plugins in query order.
    pub chain: Vec<Box<dyn Spec>>,
    /// What is set beside the chain.
    pub settings: Settings,
    /// What shapes its answers, without spelling and places: equal texts give equal answers.
    pub fingerprint: String,
}

/// Directives that set something rather than take part in the chain.
#[derive(Debug, Default)]
pub struct Settings {
    /// Where it listens; on all addresses if nothing is said.
    pub bind: Vec<bind::BindSpec>,
    /// How answers are memorised.
    pub cache: Option<cache::CacheSpec>,
    /// The largest reply over UDP.
    pub bufsize: Option<bufsize::BufsizeSpec>,
    /// Certificates for `tls://` and `https://` keys.
    pub tls: Option<tls::TlsSpec>,
    /// Whether labels about queries are told.
    pub metadata: Option<metadata::MetadataSpec>,
    /// When a query is given up.
    pub cancel: Option<cancel::CancelSpec>,
    /// Whose word on the clients counts.
    pub proxyproto: Option<proxyproto::ProxyprotoSpec>,
    /// How many sockets take datagrams.
    pub multisocket: Option<multisocket::MultisocketSpec>,
    /// Who answers, for those who ask for it.
    pub nsid: Option<nsid::NsidSpec>,
    /// What is told in class CHAOS.
    pub chaos: Option<chaos::ChaosSpec>,
    /// Whether datagrams that find no place are dropped.
    pub shed: Option<shed::ShedSpec>,
    /// Where profiles are taken.
    pub pprof: Option<profiling::PprofSpec>,
    /// Time-outs of connections.
    pub timeouts: Option<timeouts::TimeoutsSpec>,
    /// Where health is told.
    pub health: Option<health::HealthSpec>,
    /// Where readiness is told.
    pub ready: Option<ready::ReadySpec>,
    /// Where metrics are told.
    pub prometheus: Option<prometheus::PrometheusSpec>,
    /// How often the Corefile is looked at.
    pub reload: Option<reload::ReloadSpec>,
    /// Which questions for its zones it is for; all if nothing is said.
    pub view: Option<view::ViewSpec>,
    /// More lines in the log.
    pub debug: Option<debug::DebugSpec>,
}

/// Checks a text: parses it, asks every directive, and reports all errors in one run.
pub fn check(name: &str, text: &str, host: &dyn Host, dns_port: u16) -> Checked {
    let mut report = Report::new();
    let host = Digesting::new(host, text);
    let tree = corefile::parse(name, text, &host, &mut report);
    corefile::check_directives(&tree, &mut report);
    corefile::check_overlap_on(&tree, dns_port, &mut report);
    wiring::ACROSS.iter().for_each(|check| check(&tree, dns_port, &mut report));
    let blocks: Vec<_> = tree.blocks.iter().map(|block| plan_block(block, &mut report)).collect();
    let plan = (!report.has_errors()).then_some(Plan { blocks });
    let (digest, version) = host.finish();
    Checked { report, tree, plan, digest, version }
}

/// A host that notes what was read, so that a change of an imported file is seen too.
struct Digesting<'h> {
    host: &'h dyn Host,
    digest: RefCell<DefaultHasher>,
    version: RefCell<ring::digest::Context>,
}

impl<'h> Digesting<'h> {
    fn new(host: &'h dyn Host, text: &str) -> Self {
        let mut digest = DefaultHasher::new();
        text.hash(&mut digest);
        let mut version = ring::digest::Context::new(&ring::digest::SHA512);
        version.update(text.as_bytes());
        Self { host, digest: RefCell::new(digest), version: RefCell::new(version) }
    }

    fn finish(&self) -> (u64, String) {
        let version = self.version.borrow().clone().finish();
        let hexadecimal = version.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
        (self.digest.borrow().finish(), hexadecimal)
    }
}

impl Host for Digesting<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.host.read(path)?;
        text.hash(&mut *self.digest.borrow_mut());
        self.version.borrow_mut().update(text.as_bytes());
        Ok(text)
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        self.host.glob(pattern)
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = self.host.variable(name);
        value.hash(&mut *self.digest.borrow_mut());
        value
    }
}

fn plan_block(block: &Block, report: &mut Report) -> BlockPlan {
    let zones: Vec<Name> =
        block.keys.iter().map(|key| Name::parse(key.zone.as_str()).expect("a zone is a valid name")).collect();
    let mut plan = BlockPlan { keys: block.keys.clone(), zones, ..BlockPlan::default() };
    plan.zones.sort();
    plan.zones.dedup();
    plan.fingerprint = plan.zones.iter().map(|zone| format!("{zone} ")).collect();
    for row in wiring::DIRECTIVES {
        let statements: Vec<_> = block.directives(row.name).collect();
        (row.check)(&statements, &mut plan, report);
        plan.directives.extend((!statements.is_empty()).then_some(row.name));
        if row.shapes_answers {
            statements.iter().for_each(|statement| describe_statement(statement, &mut plan.fingerprint));
        }
    }
    if let (Some(key), None) = (block.keys.iter().find(|key| needs_certificate(key)), &plan.settings.tls) {
        report
            .error(key.span, format!("`{}://` needs a certificate", key.scheme))
            .expected("a directive `tls CERT KEY` in this server block");
    }
    plan
}

fn needs_certificate(key: &Key) -> bool {
    matches!(key.scheme, corefile::Scheme::Tls | corefile::Scheme::Https)
}

/// A statement's words without their places.
fn describe_statement(statement: &Statement, into: &mut String) {
    into.push_str(&statement.name.text);
    for word in &statement.arguments {
        into.push('\u{1f}');
        into.push_str(&word.text);
    }
    if let Some(body) = &statement.body {
        into.push('{');
        body.iter().for_each(|property| describe_statement(property, into));
        into.push('}');
    }
    into.push('\n');
}

impl BlockPlan {
    /// One more step of the chain.
    pub fn step(&mut self, spec: Option<impl Spec + 'static>) {
        self.steps(spec.into_iter().collect());
    }

    /// The name of its view; empty without one.
    pub fn view(&self) -> &str {
        self.settings.view.as_ref().map_or("", |view| &view.name)
    }

    /// Several more steps.
    pub fn steps(&mut self, specs: Vec<impl Spec + 'static>) {
        self.chain.extend(specs.into_iter().map(|spec| Box::new(spec) as Box<dyn Spec>));
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.blocks.iter().try_for_each(|block| block.fmt(f))
    }
}

impl fmt::Display for BlockPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(key_text).collect();
        writeln!(f, "{}", keys.join(" "))?;
        for (name, text) in self.settings.describe() {
            writeln!(f, "  -  {name}: {text}")?;
        }
        for (index, spec) in self.chain.iter().enumerate() {
            writeln!(f, "{:>3}. {}: {}", index + 1, spec.name(), spec.describe())?;
        }
        if self.chain.is_empty() {
            writeln!(f, "     no plugin answers here: REFUSED")?;
        }
        Ok(())
    }
}

impl Settings {
    /// Each setting that is written, in plain words.
    fn describe(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        macro_rules! say {
            ($($name:ident)*) => {
                $(lines.extend(self.$name.iter().map(|spec| (stringify!($name), spec.describe())));)*
            };
        }
        say!(view bind tls proxyproto multisocket timeouts cancel reload nsid chaos bufsize metadata health ready prometheus pprof shed);
        say!(debug cache);
        lines
    }
}

fn key_text(key: &Key) -> String {
    match key.port {
        Some(port) => format!("{}://{}:{port}", key.scheme, key.zone),
        None => format!("{}://{}", key.scheme, key.zone),
    }
}
