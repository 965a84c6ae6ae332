//! `hosts` as it is written.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::corefile::{Report, Statement, no_arguments, no_body, value};
use contract::limits;
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::file::HostsFile;
use crate::table::{Intake, Table, address};
use crate::{Hosts, NAME, Settings};

/// A checked `hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsSpec {
    /// FILE, if one is written; else [`DEFAULT_FILE`].
    pub file: Option<PathBuf>,
    /// Where FILE, or else the directive, stands in the Corefile.
    pub place: String,
    /// The zones whose names are answered.
    pub zones: Vec<Name>,
    /// The lines of the Corefile itself.
    pub inline: Vec<Entry>,
    /// `ttl`, seconds. 3600 unless written.
    pub ttl: u32,
    /// False with `no_reverse`.
    pub reverse: bool,
    /// `reload`; `None` for `0s`. 5 s unless written.
    pub reload: Option<Duration>,
    /// `fallthrough`: the zones in which an unknown name goes on; none unless written.
    pub fallthrough: Vec<Name>,
    /// `fallthrough_unsupported`.
    pub fallthrough_unsupported: bool,
}

/// A line of a hosts file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub address: IpAddr,
    /// Its names.
    pub names: Vec<Name>,
}

/// The file that is read if none is written.
pub const DEFAULT_FILE: &str = "/etc/hosts";

const PROPERTIES: [&str; 5] = ["ttl", "reload", "no_reverse", "fallthrough", "fallthrough_unsupported"];

/// Reads the statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<HostsSpec> {
    let before = report.errors();
    let place = report.place(statement.arguments.first().unwrap_or(&statement.name).span).to_string();
    let mut reader = statement.reader(report);
    let mut spec = HostsSpec {
        place,
        file: reader.optional().map(|word| PathBuf::from(word.as_str())),
        zones: zones.to_vec(),
        inline: Vec::new(),
        ttl: 3_600,
        reverse: true,
        reload: Some(Duration::from_secs(5)),
        fallthrough: Vec::new(),
        fallthrough_unsupported: false,
    };
    if reader.peek().is_some() {
        spec.zones = names(&reader.values("a zone such as `example.org` or `10.0.0.0/8`", value::zone));
    }
    for line in statement.properties() {
        property(&mut spec, line, report);
    }
    if let Some(line) = statement.property("fallthrough_unsupported")
        && statement.property("fallthrough").is_none()
    {
        report
            .error(line.name.span, "`fallthrough_unsupported` without `fallthrough`")
            .help("add `fallthrough`, whose zones it shares");
    }
    (report.errors() == before).then_some(spec)
}

fn property(spec: &mut HostsSpec, line: &Statement, report: &mut Report) {
    no_body(line, report);
    match line.name.as_str() {
        "ttl" => {
            let mut reader = line.reader(report);
            if let Some(ttl) = reader.value("seconds, from 1 to 65535", value::number_in(1..=65_535)) {
                spec.ttl = ttl;
                reader.finish();
            }
        }
        "reload" => reload(spec, line, report),
        "no_reverse" => {
            no_arguments(line, report);
            spec.reverse = false;
        }
        "fallthrough" => {
            let zones = line.reader(report).values("a zone such as `example.org` or `10.0.0.0/8`", value::zone);
            spec.fallthrough = if line.arguments.is_empty() { vec![Name::root()] } else { names(&zones) };
        }
        "fallthrough_unsupported" => {
            no_arguments(line, report);
            spec.fallthrough_unsupported = true;
        }
        _ => entry(spec, line, report),
    }
}

fn reload(spec: &mut HostsSpec, line: &Statement, report: &mut Report) {
    let mut reader = line.reader(report);
    let at = reader.span();
    let Some(every) = reader.value("a duration such as `5s`; `0s` never reads again", value::duration) else { return };
    reader.finish();
    if !every.is_zero() && every < limits::HOSTS_RELOAD_MIN {
        report
            .warning(at, format!("the file is looked at every {} ms at most", limits::HOSTS_RELOAD_MIN.as_millis()))
            .help("a look costs a system call or two; `0s` never looks again");
    }
    spec.reload = (!every.is_zero()).then(|| every.max(limits::HOSTS_RELOAD_MIN));
}

/// A line of a hosts file; CoreDNS takes it for one only before `fallthrough`.
fn entry(spec: &mut HostsSpec, line: &Statement, report: &mut Report) {
    let word = &line.name;
    let Some(address) = address(&word.text) else {
        let error = report.error(word.span, format!("`{word}` is neither a property nor an address"));
        error.expected("a property, or a line such as `192.0.2.1 www.example.org`").nearest(&word.text, PROPERTIES);
        return;
    };
    if !spec.fallthrough.is_empty() {
        report.error(word.span, "an entry behind `fallthrough`").help("put entries before `fallthrough`");
        return;
    }
    if line.arguments.is_empty() {
        report.warning(word.span, format!("`{word}` has no name, and no effect"));
    }
    let mut names = Vec::with_capacity(line.arguments.len());
    for argument in &line.arguments {
        match Name::parse(&argument.text) {
            Err(reason) => {
                let error = report.error(argument.span, format!("wrong value `{argument}`: {reason}"));
                error.expected("a domain name");
            }
            Ok(name) if spec.zones.iter().any(|zone| zone.encloses(&name)) => names.push(name),
            Ok(_) => {
                let warning = format!("`{argument}` is in none of the zones served here, and has no effect");
                report.warning(argument.span, warning).help("name its zone behind the file, or in the server block");
            }
        }
    }
    spec.inline.push(Entry { address, names });
}

fn names(zones: &[Vec<contract::corefile::Zone>]) -> Vec<Name> {
    zones.iter().flatten().map(|zone| Name::parse(zone.as_str()).expect("a checked zone is a name")).collect()
}

impl Spec for HostsSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let file = self.path();
        let unknown = if self.fallthrough.is_empty() { "SERVFAIL for unknown names" } else { "unknown names go on" };
        format!("answers from {} and {} lines of its own; {unknown}", file.display(), self.inline.len())
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let intake = Intake { zones: &self.zones, reverse: self.reverse };
        let mut inline = Table::default();
        for entry in &self.inline {
            for name in &entry.names {
                inline.insert(entry.address, name.clone(), 0, intake).map_err(|reason| BuildError::Unavailable {
                    what: "hosts".to_owned(),
                    reason: format!("{reason} in the Corefile; put them into a file"),
                })?;
            }
        }
        let file = HostsFile::open(&self.path(), intake, context);
        self.first_look(&file)?;
        file.count(inline.records());
        let settings = Settings {
            ttl: self.ttl,
            reload: self.reload,
            fallthrough: self.fallthrough.clone(),
            fallthrough_unsupported: self.fallthrough_unsupported,
        };
        Ok(Arc::new(Hosts { zones: self.zones.clone(), inline, file, settings }))
    }
}

impl HostsSpec {
    /// Reads the file. CoreDNS starts without one that is missing, a directory or not to be read, and so does this: the lines of the
    /// Corefile are answered all the same. It does not start where it cannot be told whether there is a file.
    fn first_look(&self, file: &HostsFile) -> Result<(), BuildError> {
        let trouble = match file.begin() {
            Ok(()) => return Ok(()),
            Err(trouble) if trouble.is_of_the_file() || self.file.is_none() && trouble.is_of_the_path() => trouble,
            Err(trouble) => return Err(BuildError::file(&self.path(), trouble)),
        };
        let until = if self.reload.is_some() { "until it can be read" } else { "as it is not looked at again" };
        let (place, path) = (&self.place, self.path());
        tracing::warn!("{place}: hosts: {}: {trouble}; nothing is answered from it {until}", path.display());
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
    }
}
