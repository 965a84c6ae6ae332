//! The property `watch`: which objects are watched, and what for.

use contract::Wanted;
use contract::corefile::{Reader, Report, Statement, no_body, repeated, unknown_property, value};
use contract::wire::Name;

use super::{WatchSpec, values};

/// Its properties, in the order of the README.
const PROPERTIES: [&str; 4] = ["services", "ingresses", "endpoints", "answer_from_watch"];

const ANSWERS: &str = "answer_from_watch";

/// What is watched; `None` without the property.
pub(crate) fn read(statement: &Statement, zones: &[Name], report: &mut Report) -> Option<WatchSpec> {
    let mut watch =
        WatchSpec { wanted: Wanted { zones: zones.to_vec(), endpoints: true, ..Wanted::default() }, answers: true };
    let outside = statement.property(ANSWERS);
    if let Some(property) = outside {
        watch.answers = on_off(property, report);
    }
    let Some(property) = statement.property("watch") else {
        if let Some(without) = outside {
            let warning = report.warning(without.name.span, "`answer_from_watch` has no effect: nothing is watched");
            warning.help("write `watch`");
        }
        return None;
    };
    let mut reader = property.reader(report);
    watch.wanted.namespace = reader.optional_value("the name of a namespace; all without it", values::namespace);
    reader.finish();
    for inner in property.properties() {
        read_property(inner, property, outside, &mut watch, report);
    }
    let wanted = &watch.wanted;
    if !wanted.endpoints && !wanted.services && !wanted.ingresses {
        let at = property.property("endpoints").map_or(property.name.span, |endpoints| endpoints.name.span);
        let error = report.error(at, "nothing is watched: `endpoints off`, and neither `services` nor `ingresses`");
        error.expected("something to watch, or no `watch`");
    }
    Some(watch)
}

fn read_property(
    inner: &Statement,
    of: &Statement,
    outside: Option<&Statement>,
    watch: &mut WatchSpec,
    report: &mut Report,
) {
    let name = inner.name.as_str();
    if !PROPERTIES.contains(&name) {
        return unknown_property(inner, &PROPERTIES, report);
    }
    if repeated(of, inner, report) {
        return;
    }
    no_body(inner, report);
    match name {
        "services" => watch.wanted.services = is_there(inner.reader(report)),
        "ingresses" => watch.wanted.ingresses = is_there(inner.reader(report)),
        "endpoints" => watch.wanted.endpoints = on_off(inner, report),
        _ => match outside {
            Some(outside) => {
                let first = report.place(outside.name.span).to_string();
                let error = report.error(inner.name.span, "`answer_from_watch` stands twice");
                error.help(format!("first at {first}"));
            }
            None => watch.answers = on_off(inner, report),
        },
    }
}

/// A mere word.
fn is_there(reader: Reader<'_, '_>) -> bool {
    reader.finish();
    true
}

fn on_off(property: &Statement, report: &mut Report) -> bool {
    let mut reader = property.reader(report);
    let on = reader.value("`on` or `off`", value::on_off);
    reader.finish();
    on.unwrap_or(true)
}
