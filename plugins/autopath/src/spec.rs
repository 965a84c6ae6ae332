//! The directive as it is written: `autopath [ZONE...] RESOLV-CONF`, `autopath [ZONE...] { pods FILE }`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::corefile::{Report, Statement, Word, no_body, unknown_property, value};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec};

use crate::index::PodIndex;
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
}

/// What follows the zones, for messages.
const EXPECTED: &str = "a RESOLV-CONF file, `@kubernetes`, or `{ pods FILE }`";

/// Reads a statement. `zones` are the server block's, which count if the directive names none.
pub fn check(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<AutopathSpec> {
    let (own, lists) = match &statement.body {
        Some(properties) => (statement.arguments.as_slice(), table(statement, properties, report)),
        None => {
            let mut reader = statement.reader(report);
            let Some((last, own)) = reader.rest().split_last() else {
                reader.missing(EXPECTED);
                return None;
            };
            (own, source(last, report))
        }
    };
    let own: Vec<Option<Vec<Name>>> = own.iter().map(|word| zone(word, report)).collect();
    let own: Vec<Name> = own.into_iter().collect::<Option<Vec<_>>>()?.concat();
    let zones = if own.is_empty() { zones.to_vec() } else { own };
    Some(AutopathSpec { zones, lists: lists? })
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

fn table(statement: &Statement, properties: &[Statement], report: &mut Report) -> Option<Lists> {
    let mut lists: Option<Lists> = None;
    let before = report.errors();
    for property in properties {
        if property.name != "pods" {
            unknown_property(property, &["pods"], report);
            continue;
        }
        no_body(property, report);
        if lists.is_some() {
            report.error(property.name.span, "a second `pods`").help("write all pods into one file");
        }
        let mut reader = property.reader(report);
        let path = reader.value("the path of a table of pods", value::text);
        reader.finish();
        lists = lists.or(path.map(|path| Lists::Pods(path.into())));
    }
    if lists.is_none() && report.errors() == before {
        report.error(statement.name.span, "`autopath` has no search lists").expected(EXPECTED);
    }
    lists
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
        match &self.lists {
            Lists::ResolvConf(path) => {
                format!("expands names below {zones} by the search list of {}, for every client", path.display())
            }
            Lists::Pods(path) => {
                format!("expands names below {zones} by the search lists of the pods in {}", path.display())
            }
            Lists::Kubernetes => format!("expands names below {zones} by the search lists of this node's pods"),
        }
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let (path, format): (&Path, Format) = match &self.lists {
            Lists::ResolvConf(path) => (path, Format::ResolvConf),
            Lists::Pods(path) => (path, Format::Pods),
            Lists::Kubernetes => {
                return Err(BuildError::Unavailable {
                    what: "autopath @kubernetes".to_owned(),
                    reason: "this build does not watch pods; write their search lists into a file and name it with \
                             `autopath { pods FILE }`"
                        .to_owned(),
                });
            }
        };
        let index = Arc::new(PodIndex::new(Arc::clone(&context.lists), &context.metrics));
        let source = FileSource::new(path, format, &context.metrics);
        source.load(&index).map_err(|reason| BuildError::file(path, reason))?;
        Ok(Arc::new(Autopath::new(self.zones.clone(), index, Some(source), context)))
    }
}
