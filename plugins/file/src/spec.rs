//! `file` as it is written.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::corefile::{Report, Statement, Zone, no_arguments, no_body, unknown_property, value};
use contract::limits::ZONE_RELOAD_MIN;
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::source::ZoneFile;
use crate::{Attached, File, NAME};

/// The checked `file` statements of a server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// One for each statement, in order.
    pub files: Vec<ZoneSpec>,
    /// `fallthrough`: the zones in which a name that does not exist goes on; `None` if no statement has it. The last one counts
    /// for all.
    pub fallthrough: Option<Vec<Name>>,
}

/// One `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSpec {
    /// DBFILE.
    pub file: PathBuf,
    /// The zones that are made of it.
    pub zones: Vec<Name>,
    /// `reload`; `None` for `0`. One minute unless written.
    pub reload: Option<Duration>,
    /// `reload_by_mtime`.
    pub by_mtime: bool,
}

const RELOAD: Duration = Duration::from_secs(60);
const PROPERTIES: [&str; 4] = ["reload", "reload_by_mtime", "upstream", "fallthrough"];
const ZONE: &str = "a zone such as `example.org` or `10.0.0.0/8`";

/// Reads one statement; whatever is wrong goes to the report.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<FileSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let file = reader.word("a zone file").map(|word| PathBuf::from(word.as_str()));
    let named = reader.peek().is_some().then(|| names(&reader.values(ZONE, value::zone)));
    let zones = named.unwrap_or_else(|| zones.to_vec());
    let file = file.unwrap_or_default();
    let mut spec =
        FileSpec { files: vec![ZoneSpec { file, zones, reload: Some(RELOAD), by_mtime: false }], fallthrough: None };
    for line in statement.properties() {
        property(&mut spec, line, report);
    }
    (report.errors() == before).then_some(spec)
}

fn property(spec: &mut FileSpec, line: &Statement, report: &mut Report) {
    no_body(line, report);
    match line.name.as_str() {
        "reload" => {
            if let Some(every) = reload(line, report) {
                spec.files[0].reload = (!every.is_zero()).then(|| every.max(ZONE_RELOAD_MIN));
            }
        }
        "reload_by_mtime" => {
            no_arguments(line, report);
            spec.files[0].by_mtime = true;
        }
        "upstream" => {
            let warning = report.warning(line.name.span, "`upstream` has no effect");
            warning.help("CNAMEs that lead out of the zone are followed anyway; remove the line");
        }
        "fallthrough" => {
            let zones = line.reader(report).values(ZONE, value::zone);
            spec.fallthrough = Some(if line.arguments.is_empty() { vec![Name::root()] } else { names(&zones) });
        }
        _ => unknown_property(line, &PROPERTIES, report),
    }
}

fn reload(line: &Statement, report: &mut Report) -> Option<Duration> {
    let mut reader = line.reader(report);
    let at = reader.span();
    let every = reader.value("a duration such as `30s`; `0` never reads again", value::duration)?;
    reader.finish();
    if !every.is_zero() && every < ZONE_RELOAD_MIN {
        report
            .warning(at, format!("the file is looked at every {} ms at most", ZONE_RELOAD_MIN.as_millis()))
            .help("`0` never looks again");
    }
    Some(every)
}

fn names(zones: &[Vec<Zone>]) -> Vec<Name> {
    zones.iter().flatten().map(|zone| Name::parse(zone.as_str()).expect("a checked zone is a name")).collect()
}

impl FileSpec {
    /// Adds a later `file` of the same server block: together they are one plugin, in which the longest zone answers.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.files.extend(later.files);
        Self { fallthrough: later.fallthrough.or(self.fallthrough), ..self }
    }
}

impl Spec for FileSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let zones: Vec<String> = self.files.iter().flat_map(|file| &file.zones).map(Name::to_string).collect();
        let files: Vec<String> = self.files.iter().map(|file| file.file.display().to_string()).collect();
        let missing = if self.fallthrough.is_some() { "names that do not exist go on" } else { "with authority" };
        format!("answers for {} from {}; {missing}", zones.join(", "), files.join(", "))
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let mut zones: Vec<Arc<ZoneFile>> = Vec::new();
        for file in &self.files {
            for origin in &file.zones {
                let opened = ZoneFile::open(file, origin, context)?;
                zones.retain(|earlier| earlier.origin() != origin);
                zones.push(opened);
            }
        }
        Ok(Arc::new(File {
            zones,
            fallthrough: self.fallthrough.clone().unwrap_or_default(),
            clock: Arc::clone(&context.clock),
            blocks: Mutex::new(Attached::default()),
        }))
    }
}
