//! The directive as it is written: `autopath [ZONE...] RESOLV-CONF`, `autopath [ZONE...] { pods FILE }`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::corefile::{Report, Statement, Word, no_body, unknown_property, value};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, PodIndex, Spec};

use crate::cut::CutRules;
use crate::plugin::Autopath;
use crate::source::{FileSource, Format};

/// Where search lists come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lists {
    /// Every client has the search list of this resolv.conf.
    ResolvConf(PathBuf),
    /// A table of pods.
    Pods(PathBuf),
    /// The watch on this node's pods.
    Kubernetes,
}

/// The directive, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutopathSpec {
    /// Names below these are expanded.
    pub zones: Vec<Name>,
    /// With these lists.
    pub lists: Lists,
    /// Proofs are renewed at the shortest name below a search domain (RFC 8020).
    pub nxdomain_cut: bool,
}

/// What follows the zones, for messages.
const EXPECTED: &str = "a RESOLV-CONF file, `@kubernetes`, or `{ pods FILE }`";
/// What may stand between the braces.
const PROPERTIES: [&str; 2] = ["pods", "nxdomain_cut"];

/// Reads a statement. `zones` are the server block's, which count if the directive names none.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<AutopathSpec> {
    let before = report.errors();
    let properties = statement.body.as_ref().map(|body| properties(body, report));
    let Properties { pods, nxdomain_cut } = properties.unwrap_or_default();
    // with `pods` between the braces, or nothing at all, every word of the line is a zone; else the last is the source
    let in_line = pods.is_none() && statement.body.as_ref().is_none_or(|_| nxdomain_cut.is_some());
    let (own, lists) = if in_line {
        let Some((last, own)) = statement.reader(report).rest().split_last() else {
            if report.errors() == before {
                nothing(statement, report);
            }
            return None;
        };
        (own, source(last, report))
    } else {
        (statement.arguments.as_slice(), pods.flatten())
    };
    if !in_line && lists.is_none() && report.errors() == before {
        nothing(statement, report);
    }
    let own: Vec<Option<Vec<Name>>> = own.iter().map(|word| zone(word, report)).collect();
    let own: Vec<Name> = own.into_iter().collect::<Option<Vec<_>>>()?.concat();
    let zones = if own.is_empty() { zones.to_vec() } else { own };
    Some(AutopathSpec { zones, lists: lists?, nxdomain_cut: nxdomain_cut.unwrap_or(Some(true))? })
}

fn nothing(statement: &Statement, report: &mut Report) {
    if statement.body.is_some() {
        report.error(statement.name.span, "`autopath` has no search lists").expected(EXPECTED);
    } else {
        statement.reader(report).missing(EXPECTED);
    }
}

fn source(word: &Word, report: &mut Report) -> Option<Lists> {
    match word.as_str() {
        "@kubernetes" => Some(Lists::Kubernetes),
        unknown if unknown.starts_with('@') => {
            let error = report.error(word.span, format!("nothing named `{unknown}` gives search lists"));
            error.expected(EXPECTED).nearest(unknown, ["@kubernetes"]);
            None
        }
        path => Some(Lists::ResolvConf(path.into())),
    }
}

/// What stands between the braces: absent, or there, well written or not.
#[derive(Default)]
struct Properties {
    pods: Option<Option<Lists>>,
    nxdomain_cut: Option<Option<bool>>,
}

fn properties(properties: &[Statement], report: &mut Report) -> Properties {
    let mut all = Properties::default();
    for property in properties {
        match property.name.as_str() {
            "pods" => {
                no_body(property, report);
                if all.pods.is_some() {
                    report.error(property.name.span, "a second `pods`").help("write all pods into one file");
                }
                let mut reader = property.reader(report);
                let path = reader.value("the path of a table of pods", value::text);
                reader.finish();
                all.pods = all.pods.or(Some(path.map(|path| Lists::Pods(path.into()))));
            }
            "nxdomain_cut" => {
                no_body(property, report);
                if all.nxdomain_cut.is_some() {
                    report.error(property.name.span, "a second `nxdomain_cut`");
                }
                let mut reader = property.reader(report);
                let switch = reader.value("`on` or `off`", switch);
                reader.finish();
                all.nxdomain_cut = all.nxdomain_cut.or(Some(switch));
            }
            _ => unknown_property(property, &PROPERTIES, report),
        }
    }
    all
}

fn switch(word: &str) -> Result<bool, String> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("`{other}` is neither `on` nor `off`")),
    }
}

fn zone(word: &Word, report: &mut Report) -> Option<Vec<Name>> {
    if word.text.starts_with(['@', '/']) {
        let error = report.error(word.span, format!("`{word}` is no zone"));
        error.help("lists come from one place: the last word of the line, or `pods` between braces");
        return None;
    }
    let zones = value::zone(&word.text).and_then(|zones| {
        zones.iter().map(|zone| Name::parse(zone.as_str()).map_err(|reason| reason.to_string())).collect()
    });
    zones
        .map_err(|reason| {
            report
                .error(word.span, format!("wrong zone `{word}`: {reason}"))
                .expected("a zone such as `cluster.local`");
        })
        .ok()
}

impl Spec for AutopathSpec {
    fn name(&self) -> &'static str {
        "autopath"
    }

    fn describe(&self) -> String {
        let zones = self.zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let lists = match &self.lists {
            Lists::ResolvConf(path) => format!("the search list of {}, for every client", path.display()),
            Lists::Pods(path) => format!("the search lists of the pods in {}", path.display()),
            Lists::Kubernetes => "the search lists of this node's pods".to_owned(),
        };
        let cut = if self.nxdomain_cut { "" } else { ", without NXDOMAIN cut" };
        format!("expands names below {zones} by {lists}{cut}")
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let (index, source) = match &self.lists {
            Lists::ResolvConf(path) => from_file(path, Format::ResolvConf, context)?,
            Lists::Pods(path) => from_file(path, Format::Pods, context)?,
            Lists::Kubernetes => (context.cluster.pods(&self.zones)?, None),
        };
        let plugin = Autopath::new(self.zones.clone(), index, source, context);
        Ok(Arc::new(if self.nxdomain_cut { plugin.with_cut(CutRules::default(), context) } else { plugin }))
    }
}

/// An index that a file fills, and the file.
fn from_file(
    path: &Path,
    format: Format,
    context: &Context,
) -> Result<(Arc<PodIndex>, Option<FileSource>), BuildError> {
    let index = Arc::new(PodIndex::default());
    let source = FileSource::new(path, format, context);
    source.load(&index).map_err(|reason| BuildError::file(path, reason))?;
    Ok((index, Some(source)))
}
