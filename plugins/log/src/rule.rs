//! One `log` of a block: which names, which replies, in which format.

use contract::wire::Name;
use contract::{Event, LabelBook};

use crate::class::{Classes, Kind};
use crate::format::Format;

/// Which queries are logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names that enclose what is logged.
    pub names: Vec<Name>,
    /// How a line looks.
    pub format: Format,
    /// Which replies.
    pub classes: Classes,
}

/// The line of a reply, if there is one: the first rule that encloses the name decides.
pub(crate) fn line(rules: &[Rule], event: &Event<'_>, labels: &LabelBook) -> Option<String> {
    let encloses = |zone: &Name| Name::strip(event.name, zone.as_wire()).is_some();
    let rule = rules.iter().find(|rule| rule.names.iter().any(encloses))?;
    let kind = Kind::of(event.reply);
    rule.classes.contains(kind.class()).then(|| rule.format.line(event, kind, labels))
}
